"""CARFAC as the specification says it, a loop over samples in NumPy: slow, and easy to check against the text."""

import numpy as np


def plain_nap(x, coefficients, *, style="two_cap", delay=False, closed=True):
    """NAP (n_ears, n_channels, n_samples) of x (n_ears, n_samples); styles just_hwr, one_cap, two_cap."""
    car, hair, _, agc = coefficients
    n_ears, n_samples = x.shape
    n_channels, n_stages = len(car.pole_hz), len(agc.epsilon)
    shape = (n_ears, n_channels)
    z1, z2, za, dzb, dg, ac, out = (np.zeros(shape) for _ in range(7))
    start = np.ones(n_channels) if closed else car.ohc_health
    zb, g = np.tile(car.zr * start, (n_ears, 1)), np.tile(car.stage_gain(start), (n_ears, 1))
    cap1 = np.full(shape, getattr(hair, "cap1_rest", getattr(hair, "cap_rest", 0.0)))
    cap2 = np.full(shape, getattr(hair, "cap2_rest", 0.0))
    l1, l2 = (np.full(shape, getattr(hair, "rest", 0.0)) for _ in range(2))
    memory, gathered = np.zeros((n_stages, *shape)), np.zeros((n_stages, *shape))
    phase = np.zeros(n_stages, int)
    nap = np.empty((n_ears, n_channels, n_samples))
    for t in range(n_samples):
        g, zb = g + dg, zb + dzb
        v = z2 - za
        r = car.r1 + zb / (1 + (v * car.velocity_scale + car.v_offset) ** 2)
        za = z2
        z1, z2 = r * (car.a0 * z1 - car.c0 * z2), r * (car.c0 * z1 + car.a0 * z2)
        before, out = out, np.empty(shape)
        for c in range(n_channels):
            s = x[:, t] if c == 0 else (before if delay else out)[:, c - 1]
            z1[:, c] += s
            out[:, c] = g[:, c] * (s + car.h[c] * z2[:, c])
        bm = out - ac
        ac = ac + car.ac_coeff * bm
        if style == "just_hwr":
            nap[:, :, t] = np.minimum(2, np.maximum(0, bm))
        else:
            z = np.maximum(0, bm + hair.offset)
            conductance = z**3 / (z**3 + z**2 + hair.knee)
        if style == "one_cap":
            y = conductance * cap1
            cap1 = cap1 - y * hair.out + (1 - cap1) * hair.into
            l1 = l1 + hair.lpf * (y * hair.gain - l1)
            l2 = l2 + hair.lpf * (l1 - l2)
            nap[:, :, t] = l2 - hair.rest
        elif style == "two_cap":
            cap1 = cap1 - conductance * cap1 * hair.out1 + (1 - cap1) * hair.in1
            y = (1 - cap1) * cap2
            cap2 = cap2 - y * hair.out2 + (1 - cap2) * hair.in2
            l1 = l1 + hair.lpf * (y * hair.gain - l1)
            nap[:, :, t] = l1 - hair.rest
        if closed and _agc_step(agc, 0, agc.detect_scale * nap[:, :, t], memory, gathered, phase):
            for s in range(n_stages):
                if phase[: s + 1].any():
                    break
                memory[s] += agc.mix[s] * (memory[s].mean(axis=0) - memory[s])
            u = (1 - memory[0]) * car.ohc_health
            dzb, dg = (car.zr * u - zb) / agc.decimation[0], (car.stage_gain(u) - g) / agc.decimation[0]
    return nap


def _agc_step(agc, stage, x, memory, gathered, phase):
    """Update a stage and the deeper ones whose time has come; whether this one was updated."""
    gathered[stage] += x
    phase[stage] = (phase[stage] + 1) % agc.decimation[stage]
    if phase[stage]:
        return False
    x = gathered[stage] / agc.decimation[stage]
    gathered[stage] = 0
    if stage + 1 < len(memory):
        _agc_step(agc, stage + 1, x, memory, gathered, phase)
        x = x + agc.stage_gain * memory[stage + 1]
    m = memory[stage] + agc.epsilon[stage] * (x - memory[stage])
    padded = np.pad(m, ((0, 0), (1, 1)), mode="edge")
    basal, here, apical = agc.spatial_fir[stage]
    memory[stage] = basal * padded[:, :-2] + here * m + apical * padded[:, 2:]
    return True
