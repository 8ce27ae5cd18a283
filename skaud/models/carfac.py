"""CARFAC v2: the cascade of asymmetric resonators with fast-acting compression."""

import warnings
from collections.abc import Callable, Sequence
from hashlib import sha1
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skaud.base import AudioTransformer
from skaud.design import carfac as design
from skaud.kernels import carfac_lanes as lanes
from skaud.kernels import carfac_layout as layout
from skaud.stages.pooling import TemporalPooling

POSITIVE = [Interval(Real, 0, None, closed="neither")]
NOT_NEGATIVE = [Interval(Real, 0, None, closed="left")]

# Where an output comes from: the row of the kernel's lines that holds it, and the affine map from there.
_ROWS = {"nap": None, "bm": layout.BM, "receptor_potential": layout.CAP1, "agc": layout.ZB, "ohc": layout.ZA}


class CARFAC(AudioTransformer):
    """Cochlear model CARFAC v2, with the synapse of v3.

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
        `healthy_n_fibers` are synaptopathy. A callable takes the pole frequencies in Hz.
    use_delay_buffer : bool, default=False
        Delay every stage by one sample, as hardware does, instead of the exact cascade.
    linear_car : bool, default=False
        Switch the instantaneous nonlinearity of the outer hair cells off.
    open_loop : bool, default=False
        Keep the damping at what `ohc_health` leaves, without the AGC's feedback.
    output : {"nap", "bm", "receptor_potential", "agc", "ohc"}, default="nap"
        Response that `transform` takes its features from.
    pooling : str, callable, sequence, TemporalPooling or None, default=("mean", "std")
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=0.010
        Length of a frame in s, averaged inside the kernel; the last, incomplete one of a signal is dropped, unless it
        is the only one. None keeps every sample.
    rms_one_db_spl : float or None, default=None
        Level in dB SPL that RMS 1.0 stands for in X; None means the model's own, 107 dB SPL.
    velocity_scale, v_offset : float, default=0.1, 0.04
        Nonlinearity of the outer hair cells.
    min_zeta, max_zeta : float, default=0.10, 0.35
        Damping at full and at no undamping.
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
        Reservoir left at saturation.
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
        Coupling of the AGC between ears.
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
    characteristic_frequencies_hz_, characteristic_gains_db_ : ndarray of shape (n_channels_,)
        Peak of every channel's transfer function.
    bandwidths_hz_, q_ : ndarray of shape (n_channels_,)
        3 dB bandwidth around the peak, and frequency over bandwidth.
    coefficients_ : CARFACCoefficients
        All coefficients, in float64.
    frame_rate_hz_ : float
        Frames a second.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.
    n_features_in_ : int
        Samples of a signal, where X was a 2-D array in `fit`.

    References
    ----------
    .. [1] R. F. Lyon, "Human and Machine Hearing", Cambridge University Press, 2017, chapters 16 to 19.
    .. [2] R. F. Lyon et al., "The CARFAC v2 cochlear model in Matlab, NumPy, and JAX", 2024.

    Examples
    --------
    >>> from skaud import CARFAC, datasets
    >>> X = datasets.make_tone([250, 1000, 4000], duration_s=0.2)
    >>> model = CARFAC(sample_rate=22050, pooling="mean").fit(X)
    >>> features = model.transform(X)
    >>> features.shape
    (3, 71)
    >>> model.characteristic_frequencies_hz_[features.argmax(axis=1)].round(-1)
    array([ 270., 1040., 4340.])
    """

    _outputs = ("nap", "bm", "receptor_potential", "agc", "ohc", "firings")
    _rms_one_db_spl = 107.0
    _signals_at_once = 4

    _parameter_constraints: dict = {
        **AudioTransformer._parameter_constraints,
        "ihc_style": [StrOptions(set(design.IHC_STYLES))],
        "ohc_health": [Real, callable, "array-like"],
        "n_fibers": ["array-like", callable, None],
        "use_delay_buffer": ["boolean"],
        "linear_car": ["boolean"],
        "open_loop": ["boolean"],
        "velocity_scale": NOT_NEGATIVE,
        "v_offset": [Real],
        "min_zeta": POSITIVE,
        "max_zeta": [Interval(Real, 0, 1, closed="neither")],
        "first_pole_theta": [Interval(Real, 0, np.pi, closed="neither")],
        "zero_ratio": [Interval(Real, 1, None, closed="neither")],
        "high_f_damping_compression": [Interval(Real, 0, 1, closed="left")],
        "erb_per_step": POSITIVE,
        "min_pole_hz": POSITIVE,
        "erb_break_hz": NOT_NEGATIVE,
        "erb_q": POSITIVE,
        "ac_corner_hz": POSITIVE,
        **dict.fromkeys(("tau_lpf", "tau_out", "tau_in", "tau1_out", "tau1_in", "tau2_out", "tau2_in"), POSITIVE),
        **dict.fromkeys(("healthy_n_fibers", "spont_rates", "agc_weights"), ["array-like"]),
        **dict.fromkeys(("ihcs_per_channel", "saturated_rate", "v_width", "reservoir_tau", "syn_tau_lpf"), POSITIVE),
        "sat_reservoir": [Interval(Real, 0, 1, closed="neither")],
        **dict.fromkeys(("agc_time_constants_s", "agc_decimation", "agc1_scales", "agc2_scales"), ["array-like"]),
        "agc_stage_gain": POSITIVE,
        "agc_mix_coeff": NOT_NEGATIVE,
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
        pooling: str | Callable | Sequence | TemporalPooling | None = ("mean", "std"),
        frame_length: float | None = 0.010,
        rms_one_db_spl: float | None = None,
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
        self.dtype = dtype
        self.n_jobs = n_jobs

    def transfer_function(self, frequencies_hz: ArrayLike) -> np.ndarray:
        """Complex transfer function of every channel, from the input to the basilar membrane.

        That of the linear model in open loop, at the undamping that `ohc_health` leaves (Lyon 2017, section 16.6).

        Parameters
        ----------
        frequencies_hz : array-like of shape (n_frequencies,)
            Frequencies, from 0 to half the sample rate.

        Returns
        -------
        ndarray of complex of shape (n_channels_, n_frequencies)
            Response to a unit sinusoid.

        Raises
        ------
        ValueError
            If a frequency is negative or above half the sample rate.
        """
        check_is_fitted(self)
        frequencies = np.atleast_1d(np.asarray(frequencies_hz, dtype=float))
        outside = (frequencies < 0) | (frequencies > self.sample_rate / 2)
        if frequencies.ndim != 1 or outside.any():
            raise ValueError(
                f"frequencies_hz={frequencies[outside] if frequencies.ndim == 1 else frequencies} must be one axis of "
                f"frequencies from 0 to half the sample rate, {self.sample_rate / 2} Hz; leave out the others."
            )
        return design.transfer_function(self.coefficients_.car, self.sample_rate, frequencies)

    # --- parameters to coefficients ---

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.sample_rate < 8000 or self.sample_rate > 192000:
            raise ValueError(
                f"sample_rate={self.sample_rate} must lie between 8000 and 192000 Hz, where the cascade is defined; "
                "choose a rate within, clips at other rates are resampled to it."
            )
        if self.min_zeta >= self.max_zeta:
            raise ValueError(f"min_zeta={self.min_zeta} must be below max_zeta={self.max_zeta}; lower it.")
        if self.output == "firings":
            raise ValueError(
                "output='firings' has an axis of classes; use simulate(X, 'firings') for it, or output='nap'."
            )
        for name in ("healthy_n_fibers", "spont_rates", "agc_weights"):
            values = np.asarray(getattr(self, name), dtype=float)
            if values.shape != (layout.N_CLASSES,) or not np.isfinite(values).all() or (values <= 0).any():
                raise ValueError(f"{name}={getattr(self, name)!r} must be 3 numbers above 0, one a class of fibres.")
        if np.max(self.spont_rates) >= self.saturated_rate / 2:
            raise ValueError(
                f"spont_rates={self.spont_rates!r} must lie below half of saturated_rate={self.saturated_rate}; lower them."
            )
        n_stages = np.size(self.agc_time_constants_s)
        for name in ("agc_time_constants_s", "agc_decimation", "agc1_scales", "agc2_scales"):
            values = np.asarray(getattr(self, name))
            if values.shape != (n_stages,) or values.dtype.kind not in "fiu" or (values <= 0).any():
                raise ValueError(
                    f"{name}={getattr(self, name)!r} must be {n_stages} numbers above 0, one a stage of the AGC, as many as "
                    "agc_time_constants_s."
                )
        if not all(isinstance(d, Integral) for d in np.asarray(self.agc_decimation).tolist()):
            raise ValueError(f"agc_decimation={self.agc_decimation!r} must be integers of at least 1.")

    def _design(self) -> None:
        parameters = self.get_params(deep=False)
        pole_hz = design.pole_frequencies(
            self.sample_rate,
            self.first_pole_theta,
            self.min_pole_hz,
            self.erb_per_step,
            self.erb_break_hz,
            self.erb_q,
        )
        parameters["ohc_health"] = self._health(pole_hz)
        parameters["n_fibers"] = self._fibers(pole_hz)
        self.coefficients_ = design.design_carfac(self.sample_rate, self.ihc_style, parameters)
        self.n_channels_ = len(pole_hz)
        self.pole_frequencies_hz_ = pole_hz
        peaks = design.characteristics(self.coefficients_.car, self.sample_rate)
        self.characteristic_frequencies_hz_ = peaks.frequency_hz
        self.characteristic_gains_db_ = peaks.gain_db
        self.bandwidths_hz_ = peaks.bandwidth_hz
        self.q_ = peaks.q
        self._plan_ = layout.make_plan(
            self.coefficients_,
            design.IHC_STYLES.index(self.ihc_style),
            self.dtype,
            delay=bool(self.use_delay_buffer),
            closed=not self.open_loop,
        )
        self._fingerprint_ = sha1(b"".join(array.tobytes() for array in (*self._plan_, self._state(1).lines))).hexdigest()[:10]

    def _health(self, pole_hz: np.ndarray) -> np.ndarray:
        """ohc_health of every channel."""
        given = self.ohc_health(pole_hz) if callable(self.ohc_health) else self.ohc_health
        health = np.asarray(given, dtype=float)
        if health.shape not in ((), pole_hz.shape):
            raise ValueError(
                f"ohc_health has shape {health.shape}; at sample_rate={self.sample_rate} the model has {len(pole_hz)} "
                f"channels, so it must be a number or have shape {pole_hz.shape}; a function of frequency in Hz fits any rate."
            )
        if not np.isfinite(health).all() or (health > 1).any() or (health < -0.5).any():
            raise ValueError(
                f"ohc_health={health[~((health <= 1) & (health >= -0.5))] if health.ndim else given} must lie between 0 "
                "(passive) and 1 (healthy); clip it."
            )
        if (health < 0).any():
            warnings.warn(
                f"ohc_health has values below 0, the lowest {health.min()}: the outer hair cells then act anomalously, "
                "damping instead of undamping.",
                UserWarning,
                stacklevel=4,
            )
        return np.broadcast_to(health, pole_hz.shape)

    def _fibers(self, pole_hz: np.ndarray) -> np.ndarray:
        """n_fibers of every channel and class."""
        healthy = np.asarray(self.healthy_n_fibers, dtype=float)
        if self.n_fibers is None:
            return healthy
        fibers = np.asarray(self.n_fibers(pole_hz) if callable(self.n_fibers) else self.n_fibers, dtype=float)
        if fibers.shape not in ((3,), (len(pole_hz), 3)):
            raise ValueError(
                f"n_fibers has shape {fibers.shape}; it must be (3,), one number a class, or ({len(pole_hz)}, 3) at "
                f"sample_rate={self.sample_rate}; a function of frequency in Hz fits any rate."
            )
        if not np.isfinite(fibers).all() or (fibers < 0).any() or (fibers > healthy).any():
            raise ValueError(
                f"n_fibers={fibers[~((fibers >= 0) & (fibers <= healthy))]} must lie between 0 and healthy_n_fibers="
                f"{tuple(healthy)}; clip it, or raise healthy_n_fibers."
            )
        return fibers

    # --- runs ---

    def _available_outputs(self) -> tuple[str, ...]:
        lacking = {
            "just_hwr": ("receptor_potential", "firings"),
            "one_cap": ("receptor_potential", "firings"),
            "two_cap": ("firings",),
            "two_cap_with_syn": (),
        }[self.ihc_style]
        return tuple(name for name in self._outputs if name not in lacking)

    def _channel_names(self) -> list[str]:
        return [f"{hz:.0f}hz" for hz in self.pole_frequencies_hz_]

    def _kernel_plan(self, n_ears: int) -> layout.Plan:
        return self._plan_ if n_ears == 1 else self._plan_.with_ears(n_ears)

    def _state(self, n_rows: int) -> layout.State:
        return layout.initial_state(self.coefficients_, self.dtype, n_rows, open_loop=self.open_loop)

    def _taps(self, name: str) -> tuple[np.ndarray, int]:
        """Rows that the kernel must tap for an output, and the number of the first source that belongs to it."""
        if name == "nap":
            return np.empty(0, np.int64), 0
        if name == "firings":
            return layout.RELEASE + layout.LANES * np.arange(layout.N_CLASSES), 1
        return np.array([_ROWS[name]]), 1

    def _finish(self, name: str, response: np.ndarray) -> np.ndarray:
        """Output from tapped rows (n_ears, n_rows, n_channels, n_samples)."""
        if name == "firings":
            fibers = self.coefficients_.synapse.n_fibers.astype(self.dtype)  # (n_channels, n_classes)
            return np.moveaxis(response, 1, 2) * fibers[:, :, np.newaxis]
        if name == "receptor_potential":
            return response[:, 0] * -1 + np.dtype(self.dtype).type(self.coefficients_.hair_cell.cap1_rest)
        return response[:, 0]

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        (clip,) = clips
        plan = self._kernel_plan(clip.shape[0])
        taps = [self._taps(name)[0] for name in names]
        first = 0 if "nap" in names else 1
        n_outputs = sum(len(t) for t in taps) + (first == 0)
        out = np.empty((clip.shape[0], n_outputs, self.n_channels_, clip.shape[1]), self.dtype)
        rows = np.concatenate(taps).astype(np.int64)
        work = layout.workspace(plan, clip.shape[0], len(rows))
        lanes.run(clip, 0, clip.shape[1], self._state(clip.shape[0]), plan, rows, first, work, out)
        responses, at = [], 1 - first
        for name, tap in zip(names, taps):
            part = out[:, :1] if name == "nap" else out[:, at : at + len(tap)]
            at += 0 if name == "nap" else len(tap)
            responses.append(self._finish(name, part))
        return [tuple(responses)]

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        if frame_length is None:
            return [self._run_full([clip], (self.output,))[0][0] for clip in clips]
        # Clips run side by side, the shortest first, so that the rows of those that ended can be left behind.
        clips = sorted(clips, key=lambda clip: clip.shape[1])
        n_ears, lengths = clips[0].shape[0], [clip.shape[1] for clip in clips]
        x = clips[0]
        if len(clips) > 1:
            x = np.zeros((len(clips) * n_ears, lengths[-1]), self.dtype)
            for i, clip in enumerate(clips):
                x[i * n_ears : (i + 1) * n_ears, : lengths[i]] = clip
        plan = self._kernel_plan(n_ears)
        taps, first = self._taps(self.output)
        state = self._state(len(x))
        out = np.empty((len(x), 1, self.n_channels_, max(1, lengths[-1] // frame_length)), self.dtype)
        work = layout.workspace(plan, len(x), len(taps))
        responses, begin, n_frames = [], 0, 0
        for i, length in enumerate(lengths):
            rest = slice(i * n_ears, None)
            remaining = state._replace(
                lines=state.lines[rest],
                memory=state.memory[rest],
                pending=state.pending[rest],
                frame_sum=state.frame_sum[rest],
            )
            if length > begin:
                n_frames = lanes.run_frames(
                    x[rest], begin, length, remaining, plan, taps, first, frame_length, work, out[rest], n_frames
                )
                begin = length
            own = slice(i * n_ears, (i + 1) * n_ears)
            if n_frames == 0:  # shorter than a frame: the mean of what there is
                filled = state._replace(frame_sum=state.frame_sum[own].copy(), frame_filled=state.frame_filled.copy())
                lanes.close_frame(filled, plan, out[own], 0)
            responses.append(self._finish(self.output, out[own, ..., : max(1, n_frames)]))
        return responses

    def _initial_arrays(self, n_ears: int) -> layout.State:
        return self._state(n_ears)

    def _run_chunk(
        self, clip: np.ndarray, arrays: layout.State, frame_length: int | None
    ) -> tuple[np.ndarray, layout.State]:
        plan = self._kernel_plan(clip.shape[0])
        taps, first = self._taps(self.output)
        state = arrays.copy()
        n_samples = clip.shape[1]
        work = layout.workspace(plan, clip.shape[0], len(taps))
        if frame_length is None:
            out = np.empty((clip.shape[0], 1, self.n_channels_, n_samples), self.dtype)
            lanes.run(clip, 0, n_samples, state, plan, taps, first, work, out)
        else:
            n_frames = (int(state.frame_filled[0]) + n_samples) // frame_length
            out = np.empty((clip.shape[0], 1, self.n_channels_, n_frames), self.dtype)
            lanes.run_frames(clip, 0, n_samples, state, plan, taps, first, frame_length, work, out, 0)
        return self._finish(self.output, out), state
