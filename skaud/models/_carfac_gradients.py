"""CARFAC's derivatives: checkpoints, the reverse run, and from coefficients back to parameters."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs

from skaud._gradients import STEP, ComplexStep
from skaud._learning import LearningTransformer
from skaud._responses import stack
from skaud.design import carfac as design
from skaud.kernels.carfac import adjoint, layout
from skaud.kernels.carfac import checkpoints as checkpointing
from skaud.kernels.carfac import run as lanes
from skaud.kernels.carfac.steps import Constants
from skaud.models._carfac_limits import learning_bounds, resolve_n_fibers, resolve_ohc_health
from skaud.models._carfac_runs import CARFACRuns, spikes_per_release, state_of_ears

CAR = ("ohc_health", "velocity_scale", "v_offset", "min_zeta", "max_zeta")
HAIR_CELLS = {
    "just_hwr": (),
    "one_cap": ("tau_lpf", "tau_out", "tau_in"),
    "two_cap": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
    "two_cap_with_syn": ("tau_lpf", "tau1_out", "tau1_in", "tau2_out", "tau2_in"),
}
AGC = ("agc_time_constants_s", "agc_stage_gain", "agc_mix_coeff")
# The synapse is driven by the first capacitor: what follows it in the hair cell changes no output.
BESIDE_THE_SYNAPSE = {"two_cap_with_syn": ("tau_lpf", "tau2_out", "tau2_in")}
CHANNELWISE = ("ohc_health", "n_fibers")
SIGNALS_REVERSED_AT_ONCE = 2  # few enough for their tape to stay in the second-level cache


class DesignBars(NamedTuple):
    """Bars of what is designed from the parameters, summed over signals and ears."""

    constants: np.ndarray
    table: np.ndarray  # of the AGC
    lines: np.ndarray  # (n_channels, n_rows of a group)
    fibers: np.ndarray  # (n_channels, n_classes), of what the output "spikes_per_s" takes of them beside the lines


class CARFACGradients(ComplexStep, CARFACRuns, LearningTransformer):
    """CARFAC's derivatives, once it is designed."""

    sample_rate: float
    use_delay_buffer: bool

    def _differentiable(self) -> tuple[str, ...]:
        names = self._names_of_one_ear()
        # The reverse run sums over ears, which leaves no derivative of what each has of its own; in open loop the
        # damping starts from the health, and so do the derivatives of its limits.
        return (
            names if len(self._ears_) == 1 else tuple(name for name in names if name not in self._names_of_each_ear())
        )

    def _learnable_names(self) -> tuple[str, ...]:
        return tuple(name for name in self._names_of_one_ear() if name not in self._unlearnable())

    def _without_effect(self) -> tuple[str, ...]:
        return tuple(self._reasons_for_no_effect())

    def _reasons_for_no_effect(self) -> dict[str, str]:
        reasons = {}
        if (self.n_ears_in_ or 1) == 1:
            reasons["agc_mix_coeff"] = "it couples the ears of a signal, and X has one ear"
        if self.open_loop:
            reasons |= dict.fromkeys(AGC, "open_loop=True switches the AGC off")
        beside = BESIDE_THE_SYNAPSE.get(self.ihc_style, ())
        return reasons | dict.fromkeys(beside, "what it acts on does not reach the synapse")

    def _unlearnable(self) -> dict[str, str]:
        return self._reasons_for_no_effect()

    def _names_of_each_ear(self) -> tuple[str, ...]:
        return CHANNELWISE + (("min_zeta", "max_zeta") if self.open_loop else ())

    def _names_of_one_ear(self) -> tuple[str, ...]:
        synapse = ("n_fibers",) if self.ihc_style == "two_cap_with_syn" else ()
        return CAR + HAIR_CELLS[self.ihc_style] + AGC + synapse

    def _bounds(self) -> dict[str, tuple[Any, Any]]:
        return learning_bounds(self, self._parameters())

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...], begin: int = 0
    ) -> tuple[list[np.ndarray], Callable]:
        """As `DifferentiableTransformer._run_vjp`; a response at full rate is that from sample `begin` on."""
        (n_ears, n_samples), x = clips[0].shape, np.concatenate(clips)
        plan, (taps, first) = self._kernel_plan(n_ears), self._taps(output)
        n_frames = n_samples - begin if frame_length is None else max(1, n_samples // frame_length)
        out = np.empty((len(x), max(1, len(taps)), self.n_channels_, n_frames), self.dtype)
        # Checkpoints and the tape between two of them grow like sqrt(n_samples); the tape had better stay in the cache.
        segment = layout.SEGMENT * ceil(sqrt(n_samples) / (2 * layout.SEGMENT))
        n_rows = n_ears * max(1, self._signals_at_once // n_ears)
        n_changing, runs = checkpointing.n_changing(layout.Sizes(*plan.sizes).style), []
        for at in range(0, len(x), n_rows):
            rows = slice(at, min(at + n_rows, len(x)))
            state = self._state(len(x[rows]))
            checkpoints = layout.Checkpoints.empty(state, ceil(n_samples / segment), n_changing)
            work = layout.workspace(plan, len(x[rows]), len(taps))
            lanes.record(x[rows], segment, checkpoints, state, plan, taps, first, frame_length or 0, work, out[rows])
            runs.append((rows, state, checkpoints))
        own = [slice(i * n_ears, (i + 1) * n_ears) for i in range(len(clips))]
        finished = self._finish(output, out)

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], list[DesignBars]]:
            value_bar = stack(value_bars).reshape(finished.shape)
            bars = self._finish_adjoint(output, np.asarray(value_bar, self.dtype))
            if frame_length is not None:
                bars = bars / np.dtype(self.dtype).type(min(frame_length, n_samples))
            bars = np.require(bars, self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
            length = 1 if frame_length is None else min(frame_length, n_samples)
            x_bar, sums = self._reverse(x, bars, length, segment, runs, plan, taps, first, wrt)
            for (rows, *_), group in zip(runs, sums):
                if output == "receptor_potential":
                    group.constants[Constants._fields.index("cap1_rest")] += value_bar[rows].sum(dtype=float)
                if output == "spikes_per_s":
                    released = (value_bar[rows] * np.moveaxis(out[rows], 1, 2)).sum(axis=(0, 3), dtype=float)
                    group.fibers[:] = released * (self.ihcs_per_channel * self.sample_rate)
            return [x_bar[rows] for rows in own], sums

        return [finished[rows] for rows in own], pullback

    def _equal_batches(self, clips: list[np.ndarray]) -> list[list[int]]:
        """As many clips of one shape as a job can have: `_run_vjp` divides them, and their responses lie together."""
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for i, clip in enumerate(clips):
            by_shape.setdefault(clip.shape, []).append(i)
        batches, at_once = [], max(1, self._signals_at_once // clips[0].shape[0])
        for group in by_shape.values():
            size = at_once * ceil(len(group) / (at_once * effective_n_jobs(self.n_jobs)))
            batches += [group[i : i + size] for i in range(0, len(group), size)]
        return batches

    def _finish_adjoint(self, output: str, value_bar: np.ndarray) -> np.ndarray:
        if output == "spikes_per_s":
            per_release = spikes_per_release(self._ears_, self.sample_rate).astype(self.dtype)
            # np.moveaxis(response, 1, 2) * per_release
            return np.moveaxis(value_bar * per_release[..., np.newaxis], 2, 1)
        # cap1_rest - response
        return (-value_bar if output == "receptor_potential" else value_bar)[:, np.newaxis]

    def _reverse(
        self,
        x: np.ndarray,
        value_bar: np.ndarray,
        frame_length: int,
        segment: int,
        runs: list[tuple[slice, layout.State, layout.Checkpoints]],
        plan: layout.Plan,
        taps: np.ndarray,
        first: int,
        wrt: tuple[str, ...],
    ) -> tuple[np.ndarray, list[DesignBars]]:
        """Bars of x and, of every run of rows, those of the design."""
        style, constants = int(layout.Sizes(*plan.sizes).style), any(name not in ("X", "ohc_health") for name in wrt)
        reverse = adjoint.reverse_for(style, bool(self.use_delay_buffer), constants)
        x_bar, n_taped = np.empty_like(x), adjoint.n_taped(style, constants)
        n_ears, n_samples = int(layout.Sizes(*plan.sizes).n_ears), x.shape[1]
        at_once, sums = min(len(x), n_ears * max(1, SIGNALS_REVERSED_AT_ONCE // n_ears)), []
        tape = layout.empty_tape(plan, at_once, min(segment, n_samples), n_taped, keep=constants)
        seeds = np.zeros((1 + len(taps), at_once, layout.SOWN, int(plan.sizes[0]) * layout.LANES), self.dtype)
        work = adjoint.reverse_workspace(plan, at_once)
        for rows, state, checkpoints in runs:
            n_rows, rerun_state = rows.stop - rows.start, state.copy()  # the pullback may be called again
            bars = layout.zero_bars(plan, n_rows)
            for begin in range(0, n_rows, at_once):
                own = slice(begin, min(begin + at_once, n_rows))
                in_x = slice(rows.start + own.start, rows.start + own.stop)
                reverse(
                    x[in_x],
                    segment,
                    checkpoints,
                    begin,
                    rerun_state.of_rows(own),
                    plan,
                    value_bar[in_x],
                    frame_length,
                    taps,
                    first,
                    bars.of_rows(own),
                    tape,
                    seeds,
                    work,
                    x_bar[in_x],
                )
            sums.append(self._sum_bars(bars))
        return x_bar, sums

    def _sum_parameter_bars(self, bars: list[list[DesignBars]], names: tuple[str, ...]) -> dict[str, np.ndarray]:
        # In the order of the signals, however they were divided among threads: the sums are the same to the bit.
        total = DesignBars(*(np.sum(arrays, axis=0) for arrays in zip(*(group for batch in bars for group in batch))))
        grads = {name: self._as_given(name, self._design_vjp(name, total)) for name in names if name != "X"}
        if "n_fibers" in grads:
            grads["n_fibers"] += self._as_given("n_fibers", total.fibers)
        return grads

    def _sum_bars(self, bars: layout.Bars) -> DesignBars:
        """Bars of what is designed, over all rows."""
        lines = bars.lines.sum(axis=0, dtype=float) + bars.summed
        groups = lines.reshape(-1, layout.BARS_GROUP // layout.LANES, layout.LANES)
        group, lane = np.divmod(layout.lane_position(self.n_channels_), layout.LANES)
        channels = groups[group + 1, :, lane]
        return DesignBars(
            channels[:, layout.N_ROWS :].sum(axis=0),
            bars.table,
            channels[:, : layout.N_ROWS],
            np.zeros((self.n_channels_, layout.N_CLASSES)),
        )

    # --- from coefficients to parameters ---

    def _resolve(self, parameters: dict[str, Any], pole_hz: np.ndarray) -> list[dict[str, Any]]:
        """Parameters as the design takes them: an entry a channel where they may have one, for all ears or for each."""
        ears: list[dict[str, Any]] = [{}]
        if np.ndim(self._found_.get("ohc_health", 1.0)) == 2:  # a fit found the health of every ear
            found = {name: self._found_[name] for name in CHANNELWISE if name in self._found_}
            ears = [dict(zip(found, own)) for own in zip(*found.values())]
        resolved = []
        for given in ({**parameters, **own} for own in ears):
            fibers = resolve_n_fibers(self, given["n_fibers"], pole_hz)
            given["ohc_health"] = resolve_ohc_health(self, given["ohc_health"], pole_hz)
            given["n_fibers"] = np.broadcast_to(fibers, (len(pole_hz), layout.N_CLASSES))
            resolved.append(given)
        return resolved

    def _design_vjp(self, name: str, bars: DesignBars) -> np.ndarray:
        """Bar of a parameter, from the bars of all that is designed from it: a complex step through the design."""
        if name == "ohc_health" and not self.open_loop:  # it stands in the lines as it is
            return bars.lines[:, layout.HEALTH // layout.LANES]
        parameters = self._resolve(self._parameters(), self.pole_frequencies_hz_)[0]
        value = np.asarray(parameters[name])
        group, lane = np.divmod(layout.lane_position(self.n_channels_), layout.LANES)

        def through_design(step: np.ndarray) -> tuple[float, np.ndarray]:
            plan, state, _ = self._complex_design([parameters | {name: value + step}])
            lines = state.lines.imag.reshape(-1, layout.N_ROWS, layout.LANES)[group + 1, :, lane]
            of_channels = (lines * bars.lines).sum(axis=1) / STEP
            constants = plan.constants.imag[: len(bars.constants)]
            of_all = (constants @ bars.constants + (plan.table.imag * bars.table).sum()) / STEP
            return of_all, of_channels

        if name == "ohc_health":  # a channel's own acts on that channel's coefficients only
            return through_design(np.full(self.n_channels_, STEP * 1j))[1]
        if name == "n_fibers":
            classes = [through_design(STEP * 1j * unit)[1] for unit in np.eye(layout.N_CLASSES)]
            return np.stack(classes, axis=1)
        bar = np.empty(value.shape)
        for index in np.ndindex(value.shape):
            step = np.zeros(value.shape, complex)
            step[index] = STEP * 1j
            of_all, of_channels = through_design(step)
            bar[index] = of_all + of_channels.sum()
        return bar

    def _as_given(self, name: str, bar: np.ndarray) -> np.ndarray:
        """Bar of a parameter that has an entry a channel, summed where one number was given for all of them."""
        value = self._found_.get(name, getattr(self, name))
        if name not in CHANNELWISE or value is None or callable(value) or np.ndim(value) == bar.ndim:
            return bar
        return bar.sum(axis=0)

    def _differentiated(self, name: str) -> np.ndarray:
        given = self._parameters()[name]
        if given is None or callable(given):
            given = self._resolve(self._parameters(), self.pole_frequencies_hz_)[0][name]
        return np.asarray(given, dtype=float)

    def _complex_design(
        self, ears: Sequence[Mapping[str, Any]], n_rows: int = 1, n_outputs: int = 1
    ) -> tuple[layout.Plan, layout.State, list[design.CARFACCoefficients]]:
        """Plan and initial state, in complex numbers, for parameters of which some are complex."""
        coefficients = [design.design_carfac(self.sample_rate, self.ihc_style, ear) for ear in ears]
        style = design.IHC_STYLES.index(self.ihc_style)
        delay, closed = bool(self.use_delay_buffer), not self.open_loop
        plan = layout.make_plan(coefficients[0], style, np.complex128, delay=delay, closed=closed)
        open_loop = bool(self.open_loop)
        state = state_of_ears(coefficients, np.complex128, n_rows, n_outputs=n_outputs, open_loop=open_loop)
        return plan, state, coefficients

    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        taps, first = self._taps(output)
        ears = [ear | parameters for ear in self._resolve(self._parameters(), self.pole_frequencies_hz_)]
        responses = []
        for clip in clips:
            n_ears, n_samples = clip.shape
            plan, state, coefficients = self._complex_design(ears, n_ears, max(1, len(taps)))
            plan, work = plan.with_ears(n_ears), layout.workspace(plan, n_ears, len(taps))
            n_frames = n_samples if frame_length is None else max(1, n_samples // frame_length)
            out = np.empty((n_ears, max(1, len(taps)), self.n_channels_, n_frames), complex)
            if frame_length is None:
                lanes.run(clip, 0, n_samples, state, plan, taps, first, work, out)
            elif not lanes.run_frames(clip, 0, n_samples, state, plan, taps, first, frame_length, work, out, 0):
                lanes.close_frame(state, plan, out, 0)
            responses.append(_finish_complex(output, out, coefficients, self.sample_rate))
        return responses


def _finish_complex(
    output: str, response: np.ndarray, ears: list[design.CARFACCoefficients], sample_rate: float
) -> np.ndarray:
    if output == "spikes_per_s":
        return np.moveaxis(response, 1, 2) * spikes_per_release(ears, sample_rate)[..., np.newaxis]
    if output == "receptor_potential":
        return ears[0].hair_cell.cap1_rest - response[:, 0]  # type: ignore[union-attr]
    return response[:, 0]
