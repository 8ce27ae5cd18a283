"""CARFAC v2: the cascade of asymmetric resonators with fast-acting compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._fitted import as_fitted
from skaud._types import Signals
from skaud.design.carfac import FULL_SCALE_DB_SPL, IHC_STYLES, design_carfac, of_ears
from skaud.design.carfac_cascade import pole_frequencies
from skaud.design.carfac_limits import check_coefficients, check_ranges, resolve_n_fibers, resolve_ohc_health
from skaud.engines.carfac import Cascade, channels_bar, health_bar
from skaud.engines.carfac_outputs import LACKING
from skaud.estimator.callbacks import FitProgress
from skaud.estimator.naming import told_apart
from skaud.fitting.audiograms import (
    audiograms_of,
    check_audiograms,
    check_ears_heard,
    fit_audiograms,
    measure_audiograms,
    n_ears_of,
)
from skaud.fitting.carfac import (
    CHANNELWISE,
    learning_bounds,
    names_of_each_ear,
    names_of_one_ear,
    reasons_for_no_effect,
)
from skaud.fitting.learn import Learn
from skaud.fitting.movable import Bounds, Parameters
from skaud.hearing.audiogram import Audiogram
from skaud.kernels.array_api import Place
from skaud.kernels.carfac.layout import N_CLASSES
from skaud.models.carfac_response import CascadeResponse
from skaud.pooling.statistics import THIRDS
from skaud.pooling.temporal import Pooling

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]
SHARE = [Interval(Real, 0, 1, closed="neither")]
SEVERAL, SWITCH = ["array-like"], ["boolean"]


class CARFAC(CascadeResponse):
    r"""Cochlear model CARFAC v2, with the synapse of v3.

    A cascade of asymmetric resonators (basilar membrane and outer hair cells), inner hair cells, and an automatic gain
    control that feeds the neural activity pattern (NAP) back to the damping of the cascade.

    Parameters
    ----------
    sample_rate : float, default=22050
        Rate of the model in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    ihc_style : {"two_cap", "one_cap", "just_hwr", "two_cap_with_syn"}, default="two_cap"
        Inner hair cell: of v2, of v1, only a half-wave rectifier, or that of v2 with the synapse of v3.
    ohc_health : float, array of shape (n_channels,), or callable, default=1.0
        Health of the outer hair cells, 1 healthy to 0 passive; a callable takes the pole frequencies in Hz.
    n_fibers : array of shape (3,) or (n_channels, 3), callable, or None, default=None
        Fibres a hair cell in the classes of high, medium and low spontaneous rate, with the synapse; fewer than
        `healthy_n_fibers` are synaptopathy. A callable takes the pole frequencies in Hz. Fewer fibres drive the AGC
        less as well, which raises the gain of the cascade: responses fall by less than the fibres, and those of the
        basilar membrane rise; ``open_loop=True`` shows the loss of fibres alone.
    use_delay_buffer : bool, default=False
        Delay every stage by one sample, as hardware does, instead of the exact cascade.
    linear_car : bool, default=False
        Switch the instantaneous nonlinearity of the outer hair cells off.
    open_loop : bool, default=False
        Keep the damping at what `ohc_health` leaves, without the AGC's feedback.
    output : {"nap", "bm", "receptor_potential", "agc", "ohc"}, default="nap"
        Response that `transform` takes its features from, see Notes.
    pooling : str, callable, sequence, dict, TemporalPooling or None, default=(("mean", 3), ("std", 1))
        Statistics over the frames of a signal, as `TemporalPooling` knows them: by default the mean of each third, and
        the standard deviation over all. None returns the frames.
    frame_length : float or None, default=0.010
        Length of a frame in s, averaged inside the kernel; the last, incomplete one of a signal is dropped, unless it
        is the only one. None keeps every sample.
    rms_one_db_spl : float or None, default=93.98
        Level in dB SPL that an RMS of 1.0 stands for in plain samples; 93.98 for pascals, None for the scale of the
        published program, 107. A `Sound` knows its own.
    velocity_scale, v_offset : float, default=0.1, 0.04
        Nonlinearity of the outer hair cells: what a velocity of 1, in motion of the basilar membrane a sample, counts,
        and its offset, without a unit.
    min_zeta, max_zeta : float, default=0.10, 0.35
        Damping ratio of a pole at full and at no undamping, of mid frequencies.
    first_pole_theta : float, default=0.85 * pi
        Angle of the first pole, in rad.
    zero_ratio : float, default=sqrt(2)
        Frequency of a stage's zero over that of its pole.
    high_f_damping_compression : float, default=0.5
        Reduction of the damping towards half the sample rate.
    erb_per_step : float, default=0.5
        Distance between channels, in equivalent rectangular bandwidths.
    min_pole_hz : float, default=30.0
        The cascade ends above this frequency.
    erb_break_hz, erb_q : float, default=165.3, 1000 / (24.7 * 4.37)
        Equivalent rectangular bandwidth, (erb_break_hz + f) / erb_q.
    ac_corner_hz : float, default=20.0
        High-pass at the output of the basilar membrane.
    tau_lpf : float, default=80e-6
        Smoothing of the hair cell's output, in s.
    tau_out, tau_in : float, default=0.5e-3, 10e-3
        Discharge and recharge of the hair cell of v1, in s.
    tau1_out, tau1_in, tau2_out, tau2_in : float, default=0.5e-3, 0.2e-3, 1e-3, 10e-3
        Discharge and recharge of the two capacitors of the hair cell of v2, in s.
    healthy_n_fibers : sequence of 3 float, default=(50, 35, 25)
        Fibres a hair cell in a healthy ear.
    ihcs_per_channel : float, default=10
        Hair cells a channel.
    spont_rates : sequence of 3 float, default=(50, 6, 1)
        Spontaneous rates of the classes, in spikes/s.
    saturated_rate : float, default=200.0
        Rate of a saturated fibre, in spikes/s.
    sat_reservoir : float, default=0.2
        Share of the reservoir left at saturation.
    v_width : float, default=0.02
        Width of the synapse's sigmoid, in receptor potential.
    reservoir_tau : float, default=20e-3
        Recovery of the reservoir, in s.
    syn_tau_lpf : float, default=80e-6
        Smoothing of the release, in s.
    agc_weights : sequence of 3 float, default=(1.2 / 220500,) * 3
        Contribution of a spike in each class to the NAP, times the sample rate.
    agc_time_constants_s : sequence of float, default=(0.002, 0.008, 0.032, 0.128)
        Time constants of the AGC's stages.
    agc_decimation : sequence of int, default=(8, 2, 2, 2)
        How much slower than the one before each stage runs. The first is lowered where a spatial filter needs it.
    agc_stage_gain : float, default=2.0
        Gain from a slower stage to the next faster one.
    agc1_scales, agc2_scales : sequence of float, default=(1, 1.4, 2, 2.8), (1.65, 2.3, 3.3, 4.7)
        Spread of the spatial filters to the base and to the apex, in channels: 1 and 1.65 times sqrt(2)^stage.
    agc_mix_coeff : float, default=0.5
        Coupling of the AGC between ears: about the share of their difference that a stage gives up in its time
        constant.
    audiogram : Audiogram, sequence of Audiogram or None, or None, default=None
        `fit` finds the `ohc_health` that explains it, in place of the one given, which must then be 1. One for all
        ears; or a sequence, one an ear, in the order of X's ears, which are fitted each alone, None where an ear is
        healthy. Where they say which ear they are of, the first ear is the left one, the second the right.
    ohc_share : float, default=1.0
        Share of the loss that the fit to the audiogram asks outer hair cells to explain, in dB, 0 to 1: of a threshold
        of L dB HL it is ``min(ohc_share * L, reach)``, reach being what they explain at most. The rest is left to
        `explain_residual`. 1 lets them explain as much as they can; 0.6 to 0.7 is the mean of listeners [3]_.
    explain_residual : {"synapse"} or None, default=None
        What explains the loss that outer hair cells do not: "synapse", fewer fibres, with the synapse; None leaves it
        to `residual_loss_db_`, and to a warning where it is beyond their reach.
    learn : str, sequence of str, Learn, or None, default=None
        Parameters for `fit` to learn from labels, through a softmax head on the features: those that `vjp` knows; a
        `Learn` of them says how. A number stays one number; give `ohc_health` as an array, or a callable, to learn an
        entry a channel.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals; the result is the same for any number.

    Attributes
    ----------
    n_channels_ : int
        Number of channels, base to apex.
    pole_frequencies_hz_ : ndarray of shape (n_channels_,)
        Pole frequencies; they name the channels.
    channel_frequencies_hz_, characteristic_gains_db_ : ndarray of shape (n_channels_,)
        Peak of every channel's transfer function.
    bandwidths_hz_, q_ : ndarray of shape (n_channels_,)
        3 dB bandwidth around the peak, and frequency over bandwidth; NaN where the response does not fall by 3 dB.
    coefficients_ : CARFACCoefficients, or tuple of them
        All coefficients, in float64; a tuple, one an ear, where the fit found a health for each. The attributes from
        `channel_frequencies_hz_` to `n_fibers_` then have an axis of ears in front.
    ohc_health_ : ndarray of shape (n_channels_,)
        Health of the outer hair cells, as given or as the fit to `audiogram` found it.
    n_fibers_ : ndarray of shape (n_channels_, 3) or None
        Fibres, as given or as the fit found them; None without the synapse.
    predicted_audiogram_ : Audiogram, or tuple of Audiogram
        Audiogram of the fitted model at the frequencies of the one given, see `skaud.fitting.predicted_audiogram`;
        a tuple, one an ear, where there are two, None of one given as healthy. It, and the next, only with an
        `audiogram`.
    residual_loss_db_ : ndarray of shape (n_frequencies,), or tuple of ndarray
        What of the audiogram the fitted model leaves unexplained, in dB: the given thresholds less the predicted; 0
        where there was no response and the predicted threshold is no lower, NaN where the model hears nothing.
    nap_rest_ : ndarray of shape (n_channels_,)
        What is subtracted from the hair cell's output to give the NAP: that of a healthy ear in silence, see Notes.
    frame_rate_hz_ : float
        Frames a second.
    <parameter>_ : float or ndarray
        Value of every parameter that `learn` names, such as ``velocity_scale_``.
    n_iter_, loss_curve_, validation_scores_ : int, list of float, list of float
        Iterations of learning, or else of the fit to an audiogram, 1 where there were none; loss, with L-BFGS at the
        start and after each, with Adam in each; accuracy on what was held out, after each. The loss of an audiogram is
        half the mean squared error of the response in dB, and the roughness of health along the cochlea; with
        explain_residual, that of the fibres follows; a tuple of lists, one an ear, for several audiograms.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    Notes
    -----
    **Channels.** From θ (`first_pole_theta`, 0.85 π) down to `min_pole_hz` (30 Hz), `erb_per_step` (0.5) bandwidths
    apart [1]_ (chapter 16):

    .. math::

        f_0 = \theta f_s / 2 \pi, \qquad f_{k+1} = f_k - \mathrm{step} \cdot \mathrm{ERB}(f_k), \qquad
        \mathrm{ERB}(f) = (165.3\ \mathrm{Hz} + f) / 9.26

    **Cascade** [1]_ (chapter 16, p. 285). Channel k has a pole at angle θ and radius r, and a zero `zero_ratio` (√2)
    above:

    .. math::

        a = \cos \theta, \quad c = \sin \theta, \quad h = c\, (\mathrm{zero\_ratio}^2 - 1), \quad
        \zeta_\theta = \pi\, (x - \kappa x^3), \quad x = \theta / \pi

        r_1 = 1 - \zeta_\theta\, \zeta_{max}, \qquad
        z_r = \zeta_\theta\, \left(\zeta_{max} - \zeta_{min} - \tfrac{1}{4} (\mathrm{ERB}(f) / f - \zeta_{min})\right)

        z_1 \leftarrow r\, (a z_1 - c z_2) + s, \qquad z_2 \leftarrow r\, (c z_1 + a z_2), \qquad y = g\, (s + h z_2)

    with s the sound, or y of the channel before; κ is `high_f_damping_compression` (0.5), ζ `max_zeta` (0.35) and
    `min_zeta` (0.10). g is what makes the gain at DC 1, a parabola in the undamping u [2]_ (section 2.7). The basilar
    membrane is y less what is below `ac_corner_hz` (20 Hz) [2]_ (section 2.1).

    **Outer hair cells** [1]_ (sections 17.2, 17.4) undamp a pole, less where it moves fast; v is the velocity of z₂,
    b its feedback, H the `ohc_health` [2]_ (section 2.9), `velocity_scale` 0.1, `v_offset` 0.04:

    .. math::

        r = r_1 + \frac{z_r u}{1 + (\mathrm{velocity\_scale}\, v + \mathrm{v\_offset})^2}, \qquad u = (1 - b)\, H

    **Inner hair cells.** Conductance G of both styles with capacitors [1]_ (section 18.3), and those of v2 [2]_
    (section 2.4), which discharge and recharge with `tau1_out` (0.5 ms), `tau1_in` (0.2 ms), `tau2_out` (1 ms) and
    `tau2_in` (10 ms), R₁ being 1 over the largest conductance, R₂ 1 over the largest receptor potential:

    .. math::

        G(x) = \frac{z^3}{z^3 + z^2 + 0.1}, \qquad z = \max(0, x + 0.175)

        q_1 \leftarrow q_1 - \frac{R_1 G q_1}{\tau_{1,out} f_s} + \frac{1 - q_1}{\tau_{1,in} f_s}, \qquad
        i = (1 - q_1)\, q_2, \qquad
        q_2 \leftarrow q_2 - \frac{R_2 i}{\tau_{2,out} f_s} + \frac{1 - q_2}{\tau_{2,in} f_s}

    The NAP is i, smoothed with `tau_lpf` (80 µs), 1 for the mean at saturation above rest, less its rest. The receptor
    potential is the fall of q₁ from rest.

    **Synapse** of v3, for a class of fibres with a spontaneous rate p₀ (`spont_rates`: 50, 6 and 1 spikes/s) and a
    saturated one p₁ (`saturated_rate`, 200), w being the reservoir left at saturation (`sat_reservoir`, 0.2) and V the
    receptor potential:

    .. math::

        s = \frac{1}{1 + e^{-(V - V_{1/2}) / \mathrm{v\_width}}}, \qquad r = (1 - q)\, s, \qquad
        q \leftarrow q + (1 - e^{-1 / (\tau f_s)})\, (a_1 r - q)

        a_1 = \frac{1 - w}{w / 2}, \qquad a_2 = \frac{p_1}{f_s w / 2}, \qquad \text{rate of a fibre } = a_2 r f_s

    with τ the `reservoir_tau` (20 ms), rates smoothed with `syn_tau_lpf`; the half-way potential follows from the
    spontaneous rate.

    **Automatic gain control** [1]_ (chapter 19). Four stages with time constants τ (`agc_time_constants_s`: 2, 8, 32,
    128 ms), every 8, 16, 32 and 64 samples (`agc_decimation`), D each, the slower ones first; A is the mean of the
    input since the last update, N the NAP, F a smoothing over three channels, wider in slower stages (`agc1_scales`,
    `agc2_scales`):

    .. math::

        m_j \leftarrow F_j\!\left(m_j + (1 - e^{-D_j / (\tau_j f_s)})\, (A_j + 2\, m_{j+1} - m_j)\right), \qquad
        A_1 = \overline{N} / 15, \qquad b = m_1

    where 2 is `agc_stage_gain` and 15 = 1 + 2 + 4 + 8. With several ears each m moves to the mean over them by
    `agc_mix_coeff` D / (τ f_s), 0 in the first stage. Damping and gain move in straight lines between updates.

    **Limits.** Levels up to about 100 dB SPL are meant. Half the sample rate bounds the cochlea: at 22.05 kHz the first
    pole is at 9.4 kHz, and the highest channels have few stages before them to amplify. Distortions of the
    instantaneous nonlinearity above half the rate alias: below 48 kHz, loud tones above 5 kHz make products that are
    not there in an ear.

    **Outputs**: "nap", the neural activity pattern; "bm", the basilar membrane; "receptor_potential" of the hair cell
    relative to rest, with the styles of two capacitors; "agc", what the AGC leaves of the undamping of the poles;
    "ohc", the displacement that drives the outer hair cells. With the synapse, `simulate` has "spikes_per_s" besides,
    ``(n_signals, [n_ears,] n_channels, 3, n_samples)``: the rate at which all fibres of a class in a channel are
    expected to fire, together, in spikes/s; no spikes are drawn.

    The NAP is the rise of the hair cell's output above that of a healthy ear in silence: with all fibres it is 0 in
    silence, and negative in parts of a period. Its mean is therefore no rate, and vector strength and depths of
    modulation computed from it mean nothing, and exceed 1. They need the output itself, which is never negative:
    ``nap + model.nap_rest_[:, np.newaxis]``.

    References
    ----------
    .. [1] R. F. Lyon, "Human and Machine Hearing", Cambridge University Press, 2017, chapters 16 to 19.
    .. [2] R. F. Lyon et al., "The CARFAC v2 cochlear model in Matlab, NumPy, and JAX", 2024.
    .. [3] P. T. Johannesen, P. Perez-Gonzalez, E. A. Lopez-Poveda, "Across-frequency behavioral estimates of the
       contribution of inner and outer hair cell dysfunction to individualized audiometric loss", Frontiers in
       Neuroscience 8:214, 2014.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> X = datasets.make_tone([250, 1000, 4000], duration_s=0.2)
    >>> model = CARFAC(sample_rate=22050, pooling="mean").fit(X)
    >>> features = model.transform(X)
    >>> features.shape
    (3, 71)
    >>> model.channel_frequencies_hz_[features.argmax(axis=1)].round(-1)
    array([ 260., 1030., 4060.])
    """

    _parameter_constraints: dict = {
        "ihc_style": [StrOptions(set(IHC_STYLES))],
        "ohc_health": [Real, callable, "array-like"],
        "n_fibers": ["array-like", callable, None],
        **dict.fromkeys(("use_delay_buffer", "linear_car", "open_loop"), SWITCH),
        **dict.fromkeys(("velocity_scale", "erb_break_hz", "agc_mix_coeff"), NOT_NEGATIVE),
        **dict.fromkeys(
            ("min_zeta", "erb_per_step", "min_pole_hz", "erb_q", "ac_corner_hz", "agc_stage_gain"), POSITIVE
        ),
        **dict.fromkeys(("tau_lpf", "tau_out", "tau_in", "tau1_out", "tau1_in", "tau2_out", "tau2_in"), POSITIVE),
        **dict.fromkeys(("ihcs_per_channel", "saturated_rate", "v_width", "reservoir_tau", "syn_tau_lpf"), POSITIVE),
        "agc_stage_gain": POSITIVE,
        **dict.fromkeys(("healthy_n_fibers", "spont_rates", "agc_weights"), SEVERAL),
        **dict.fromkeys(("agc_time_constants_s", "agc_decimation", "agc1_scales", "agc2_scales"), SEVERAL),
        **dict.fromkeys(("max_zeta", "sat_reservoir"), SHARE),
        "v_offset": [Interval(Real, None, None, closed="neither")],
        "first_pole_theta": [Interval(Real, 0, np.pi, closed="neither")],
        "zero_ratio": [Interval(Real, 1, None, closed="neither")],
        "high_f_damping_compression": [Interval(Real, 0, 1, closed="left")],
        "audiogram": "no_validation",  # by check_audiograms, which knows the remedy
        "ohc_share": [Interval(Real, 0, 1, closed="both")],
        "explain_residual": [StrOptions({"synapse"}), None],
    }

    def __init__(
        self,
        sample_rate: float = 22050,
        *,
        ihc_style: str = "two_cap",
        ohc_health: float | ArrayLike | Callable[[np.ndarray], np.ndarray] = 1.0,
        n_fibers: ArrayLike | Callable[[np.ndarray], np.ndarray] | None = None,
        use_delay_buffer: bool = False,
        linear_car: bool = False,
        open_loop: bool = False,
        output: str = "nap",
        pooling: Pooling = THIRDS,
        frame_length: float | None = 0.010,
        rms_one_db_spl: float | None = 93.98,
        velocity_scale: float = 0.1,
        v_offset: float = 0.04,
        min_zeta: float = 0.10,
        max_zeta: float = 0.35,
        first_pole_theta: float = 0.85 * np.pi,
        zero_ratio: float = 2**0.5,
        high_f_damping_compression: float = 0.5,
        erb_per_step: float = 0.5,
        min_pole_hz: float = 30.0,
        erb_break_hz: float = 165.3,
        erb_q: float = 1000 / (24.7 * 4.37),
        ac_corner_hz: float = 20.0,
        tau_lpf: float = 80e-6,
        tau_out: float = 0.5e-3,
        tau_in: float = 10e-3,
        tau1_out: float = 0.5e-3,
        tau1_in: float = 0.2e-3,
        tau2_out: float = 1e-3,
        tau2_in: float = 10e-3,
        healthy_n_fibers: ArrayLike = (50, 35, 25),
        ihcs_per_channel: float = 10,
        spont_rates: ArrayLike = (50, 6, 1),
        saturated_rate: float = 200.0,
        sat_reservoir: float = 0.2,
        v_width: float = 0.02,
        reservoir_tau: float = 20e-3,
        syn_tau_lpf: float = 80e-6,
        agc_weights: ArrayLike = (1.2 / 220500,) * 3,
        agc_time_constants_s: ArrayLike = (0.002, 0.008, 0.032, 0.128),
        agc_decimation: ArrayLike = (8, 2, 2, 2),
        agc_stage_gain: float = 2.0,
        agc1_scales: ArrayLike = (1.0, 2**0.5, 2.0, 2**1.5),
        agc2_scales: ArrayLike = (1.65, 1.65 * 2**0.5, 3.3, 1.65 * 2**1.5),
        agc_mix_coeff: float = 0.5,
        audiogram: Audiogram | Sequence[Audiogram | None] | None = None,
        ohc_share: float = 1.0,
        explain_residual: str | None = None,
        learn: str | Sequence[str] | Learn | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.ihc_style = ihc_style
        self.ohc_health = ohc_health
        self.n_fibers = n_fibers
        self.use_delay_buffer = use_delay_buffer
        self.linear_car = linear_car
        self.open_loop = open_loop
        self.output = output
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.velocity_scale = velocity_scale
        self.v_offset = v_offset
        self.min_zeta = min_zeta
        self.max_zeta = max_zeta
        self.first_pole_theta = first_pole_theta
        self.zero_ratio = zero_ratio
        self.high_f_damping_compression = high_f_damping_compression
        self.erb_per_step = erb_per_step
        self.min_pole_hz = min_pole_hz
        self.erb_break_hz = erb_break_hz
        self.erb_q = erb_q
        self.ac_corner_hz = ac_corner_hz
        self.tau_lpf = tau_lpf
        self.tau_out = tau_out
        self.tau_in = tau_in
        self.tau1_out = tau1_out
        self.tau1_in = tau1_in
        self.tau2_out = tau2_out
        self.tau2_in = tau2_in
        self.healthy_n_fibers = healthy_n_fibers
        self.ihcs_per_channel = ihcs_per_channel
        self.spont_rates = spont_rates
        self.saturated_rate = saturated_rate
        self.sat_reservoir = sat_reservoir
        self.v_width = v_width
        self.reservoir_tau = reservoir_tau
        self.syn_tau_lpf = syn_tau_lpf
        self.agc_weights = agc_weights
        self.agc_time_constants_s = agc_time_constants_s
        self.agc_decimation = agc_decimation
        self.agc_stage_gain = agc_stage_gain
        self.agc1_scales = agc1_scales
        self.agc2_scales = agc2_scales
        self.agc_mix_coeff = agc_mix_coeff
        self.audiogram = audiogram
        self.ohc_share = ohc_share
        self.explain_residual = explain_residual
        self.learn = learn
        self.dtype = dtype
        self.n_jobs = n_jobs

    all_outputs = ("nap", "bm", "receptor_potential", "agc", "ohc", "spikes_per_s")
    full_scale_db_spl = FULL_SCALE_DB_SPL
    overflow_lasts = True

    # --- parameters to coefficients ---

    def check_parameters(self) -> None:
        super().check_parameters()
        check_ranges(self)
        check_audiograms(self.audiogram)

    def available_outputs(self) -> tuple[str, ...]:
        return tuple(name for name in self.all_outputs if name not in LACKING[self.ihc_style])

    def make_design(self) -> None:
        steps = {name: getattr(self, name) for name in ("erb_per_step", "erb_break_hz", "erb_q")}
        pole_hz = pole_frequencies(
            self.sample_rate, first_pole_theta=self.first_pole_theta, min_pole_hz=self.min_pole_hz, **steps
        )
        resolved = self._resolve(self.parameters_in_use(), pole_hz)
        self.ears_ = tuple(design_carfac(self.sample_rate, self.ihc_style, ear) for ear in resolved)
        for coefficients in self.ears_:
            check_coefficients(self, coefficients)
        self.peaks_ = None  # found when somebody asks
        self.coefficients_ = of_ears(self.ears_)
        self.n_channels_, self.pole_frequencies_hz_ = len(pole_hz), pole_hz
        self.ohc_health_ = of_ears([ear["ohc_health"].copy() for ear in resolved])
        has_synapse = self.ihc_style == "two_cap_with_syn"
        self.n_fibers_ = of_ears([ear["n_fibers"].copy() for ear in resolved]) if has_synapse else None
        super().make_design()

    def make_engine(self, parameters: Parameters, dtype: str) -> Cascade:
        ears = self.ears_
        if parameters:
            resolved = self._resolve(self.parameters_in_use(), self.pole_frequencies_hz_)
            ears = tuple(design_carfac(self.sample_rate, self.ihc_style, ear | parameters) for ear in resolved)
        delay, closed = bool(self.use_delay_buffer), not self.open_loop
        return Cascade(ears, self.ihc_style, self.sample_rate, dtype, delay=delay, closed=closed)

    def _resolve(self, parameters: Parameters, pole_hz: np.ndarray) -> list[Parameters]:
        """Parameters as the design takes them: an entry a channel where they may have one, for all ears or for each."""
        ears: list[Parameters] = [{}]
        if np.ndim(self.found_.get("ohc_health", 1.0)) == 2:  # a fit found the health of every ear
            found = {name: self.found_[name] for name in CHANNELWISE if name in self.found_}
            ears = [dict(zip(found, own)) for own in zip(*found.values())]
        resolved = []
        for given in ({**parameters, **own} for own in ears):
            fibers = resolve_n_fibers(self, given["n_fibers"], pole_hz)
            given["ohc_health"] = resolve_ohc_health(self, given["ohc_health"], pole_hz)
            given["n_fibers"] = np.broadcast_to(fibers, (len(pole_hz), N_CLASSES))
            resolved.append(given)
        return resolved

    def channel_names(self) -> list[str]:
        return told_apart(lambda n: [f"{hz:.{n}f}hz" for hz in self.pole_frequencies_hz_], range(16))  # 1055hz

    def check_ears(self, n_ears: int) -> None:
        label = getattr(getattr(self, "predicted_audiogram_", None), "ear", None)
        check_ears_heard(n_ears, len(self.ears_), label)

    # --- parameters that have a derivative ---

    def differentiable(self) -> tuple[str, ...]:
        each = () if len(self.ears_) == 1 else names_of_each_ear(self)
        return tuple(name for name in names_of_one_ear(self) if name not in each)

    def unlearnable(self) -> dict[str, str]:
        reasons = reasons_for_no_effect(self)
        if self.audiogram is None:
            return reasons
        if len(audiograms_of(self.audiogram)) > 1:
            reasons |= dict.fromkeys(names_of_each_ear(self), "it has no derivative where each ear has its own health")
        taken = ("ohc_health", "n_fibers") if self.explain_residual else ("ohc_health",)
        return reasons | dict.fromkeys(taken, "the fit to the audiogram finds it")

    def bounds(self) -> dict[str, Bounds]:
        return learning_bounds(self, self.parameters_in_use())

    def value_of(self, name: str) -> np.ndarray:
        given = self.parameters_in_use()[name]
        if given is None or callable(given):
            given = self._resolve(self.parameters_in_use(), self.pole_frequencies_hz_)[0][name]
        return np.asarray(given, dtype=float)

    def parts_moved_by(self, names: Sequence[str]) -> tuple[str, ...]:
        return self.engine_.parts if any(name != "ohc_health" for name in names) else ()

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        if name not in CHANNELWISE:
            return super().parameter_bar(name, bars)
        # A channel's own acts on that channel's coefficients only: one step for all of them, a channel's product each.
        if name == "ohc_health" and not self.open_loop:
            bar = health_bar(bars)
        else:
            value = self._resolve(self.parameters_in_use(), self.pole_frequencies_hz_)[0][name]
            bar = channels_bar(bars, value, lambda moved: self.make_engine({name: moved}, "complex128"))
        given = self.found_.get(name, getattr(self, name))
        one_for_all = given is not None and not callable(given) and np.ndim(given) < bar.ndim
        return bar.sum(axis=0) if one_for_all else bar

    # --- audiograms ---

    def n_ears_without_sound(self) -> int | None:
        return n_ears_of(self.audiogram)

    def suits_any_ears(self) -> bool:
        labelled = isinstance(self.audiogram, Audiogram) and self.audiogram.ear is not None
        return super().suits_any_ears() and not labelled

    def designed_for(self, X: Signals) -> Self:
        if self.audiogram is not None:
            raise NotFittedError(
                f"{type(self).__name__} has an audiogram and is not fitted: what explains it is not known yet. Call "
                "fit first, which needs no sound for it, or set audiogram=None."
            )
        return super().designed_for(X)

    def most_iterations(self) -> int | None:
        return super().most_iterations() if self.audiogram is None else None

    def find(self, place: Place, progress: FitProgress | None = None) -> None:
        if self.audiogram is None:
            return

        def watch(_: np.ndarray, loss: float) -> bool:
            # Until the fit ends, the model is the healthy ear.
            return progress is not None and progress.iteration(loss, dict)

        how = self.how_to_learn()
        fit = fit_audiograms(self, place, max_iter=how.max_iter, tol=how.tol, watch=watch)
        self.redesign(self.found_ | fit.found)
        self.__dict__.update(fit.attributes())
        self.loss_curve_, self.n_iter_ = fit.loss_curve, fit.n_iter
        fit.warn(type(self).__name__, fibers_given=self.n_fibers is not None)

    def measure(self) -> None:
        # Other parameters were learned since the fit to the audiogram: they move the thresholds too.
        if self.audiogram is not None:
            self.__dict__.update(measure_audiograms(self))

    @property
    @as_fitted
    def nap_rest_(self) -> np.ndarray:
        """Output of a healthy hair cell in silence, subtracted to give the NAP; (n_channels_,)."""
        hair_cell, synapse = self.ears_[0].hair_cell, self.ears_[0].synapse
        rest = getattr(hair_cell, "rest", 0.0) if synapse is None else synapse.spont_sub
        return np.full(self.n_channels_, rest)
