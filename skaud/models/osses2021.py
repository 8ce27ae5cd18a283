"""Osses et al. (2021): ears, filterbank, hair cells, adaptation, modulation filterbank."""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha1
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions

from skaud.base import AudioTransformer
from skaud.design.adaptation import TIME_CONSTANTS_S
from skaud.design.ears import MIDDLE_EARS
from skaud.design.osses2021 import Design
from skaud.stages._running import mean_of_blocks
from skaud.stages._stage import OUTPUTS, Chain, check_rate
from skaud.stages.adaptation import AdaptationLoops
from skaud.stages.ears import EarStage, HeadphoneFilter, MiddleEarFilter, check_causal, iter_blocks
from skaud.stages.gammatone import GammatoneFilterbank, channel_names
from skaud.stages.hair_cell import HairCellEnvelope
from skaud.stages.modulation import ModulationFilterbank, modulation_names
from skaud.stages.pooling import TemporalPooling

PRESETS: dict[str, dict[str, Any]] = {
    "osses2021": {},
    # What the Auditory Modeling Toolbox 1.4 computes.
    "amt": {"phase": "amt", "spacing": "centered", "middle_ear": "lopezpoveda2001", "max_modulation_hz": 1000.0},
    # T. Dau et al. (1997), JASA 102:2892.
    "dau1997": {
        "headphone": False,
        "middle_ear": None,
        "spacing": "centered",
        "hair_cell": "dau1996",
        "adaptation_limit": 10.0,
        "modulation": "dau1997",
        "max_modulation_hz": None,
    },
}
_EARS = ("headphone", "middle_ear")


class Osses2021(AudioTransformer):
    """Monaural auditory model of Osses et al. (2021).

    Headphone and outer ear, middle ear, gammatone filterbank, inner hair cells, adaptation loops, modulation
    filterbank: each is a transformer of its own too, in `skaud.stages`.

    Parameters
    ----------
    sample_rate : float, default=44100
        Rate of the model in Hz, 8 to 192 kHz; clips at other rates are resampled to it.
    headphone : bool, default=True
        Whether the sound comes by headphone, and through the outer ear.
    middle_ear : {"jepsen2008", "lopezpoveda2001"} or None, default="jepsen2008"
        Middle ear; None leaves it out.
    phase : {"minimum", "zero", "amt"}, default="minimum"
        Ear filters: causal; without phase shift; or as in the Auditory Modeling Toolbox.
    low_hz, high_hz : float, default=80.0, 8000.0
        Range of the centre frequencies.
    spacing : {"endpoints", "centered"}, default="endpoints"
        Channels from low_hz to high_hz; or in steps of exactly 1 ERB between them.
    bandwidth_factor : float, default=1.0
        Width of the filters over that of a healthy ear's.
    hair_cell : {"breebaart2001", "dau1996"}, default="breebaart2001"
        Low-passes of the inner hair cell.
    adaptation_limit : float or None, default=5.0
        By how much the onset may exceed the steady state in every loop; None is no limit.
    adaptation_time_constants_s : sequence of float, default=(0.005, 0.050, 0.129, 0.253, 0.500)
        Time constants of the loops.
    minimum_level_db : float, default=0.0
        Floor of the adaptation's input in dB SPL.
    modulation : {"jepsen2008", "dau1997"} or None, default="jepsen2008"
        Modulation filterbank; None leaves it out, with ``output="adaptation"`` or one before.
    max_modulation_hz : float or None, default=150.0
        Highest modulation frequency; None leaves the limit to the channels' centre frequencies.
    modulation_q : float, default=2.0
        Quality factor of the modulation filters above 10 Hz.
    output : {"modulation", "adaptation", "hair_cell", "filterbank", "middle_ear", "headphone"}, default="modulation"
        Response that `transform` takes its features from.
    pooling : str, callable, sequence, TemporalPooling or None, default=("mean", "std")
        Statistics over the frames of a signal, as `TemporalPooling` knows them; None returns the frames.
    frame_length : float or None, default=0.010
        Length of a frame in s, averaged inside the kernel; the last, incomplete one of a signal is dropped, unless it
        is the only one. None keeps every sample.
    rms_one_db_spl : float or None, default=None
        Level in dB SPL that RMS 1.0 stands for in X; None means the model's own, 100 dB SPL.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the computation and of the output.
    n_jobs : int or None, default=None
        Threads over signals; the result is the same for any number.

    Attributes
    ----------
    stages_ : Bunch
        The fitted stages by name, in order.
    n_channels_ : int
        Number of channels, low to high.
    center_frequencies_hz_ : ndarray of shape (n_channels_,)
        Centre frequencies.
    modulation_index_ : pandas.MultiIndex
        Centre frequency and modulation frequency of every feature of "modulation", where the model has it.
    coefficients_ : Design
        Coefficients from the filterbank on, in float64.
    frame_rate_hz_ : float
        Frames a second.
    n_ears_in_ : int or None
        Ears of the signals in `fit`; None where they had no axis for them.

    References
    ----------
    .. [1] A. Osses, A. Kohlrausch, "Perceptual similarity between piano notes: Simulations with a template-based
       perception model", J. Acoust. Soc. Am. 149:3534, 2021.
    .. [2] P. Majdak, C. Hollomey, R. Baumgartner, "AMT 1.x: A toolbox for reproducible research in auditory modeling",
       Acta Acustica 6:19, 2022.

    Examples
    --------
    >>> from skaud import Osses2021, datasets
    >>> X = datasets.make_tone([250, 1000, 4000], duration_s=0.2, sample_rate=44100)
    >>> model = Osses2021(sample_rate=44100, output="adaptation", pooling="mean").fit(X)
    >>> features = model.transform(X)
    >>> features.shape
    (3, 31)
    >>> model.center_frequencies_hz_[features.argmax(axis=1)].round(-1)
    array([ 250., 1050., 4040.])
    """

    _outputs = (*_EARS, *OUTPUTS)

    _parameter_constraints: dict = {
        **HeadphoneFilter._parameter_constraints,
        **GammatoneFilterbank._parameter_constraints,
        **HairCellEnvelope._parameter_constraints,
        **AdaptationLoops._parameter_constraints,
        **ModulationFilterbank._parameter_constraints,
        "headphone": ["boolean"],
        "middle_ear": [StrOptions(set(MIDDLE_EARS)), None],
        "modulation": [*ModulationFilterbank._parameter_constraints["modulation"], None],
        "frame_length": [Interval(Real, 0, None, closed="neither"), None],
    }

    def __init__(
        self,
        sample_rate: float = 44100,
        *,
        headphone: bool = True,
        middle_ear: str | None = "jepsen2008",
        phase: str = "minimum",
        low_hz: float = 80.0,
        high_hz: float = 8000.0,
        spacing: str = "endpoints",
        bandwidth_factor: float = 1.0,
        hair_cell: str = "breebaart2001",
        adaptation_limit: float | None = 5.0,
        adaptation_time_constants_s: ArrayLike = TIME_CONSTANTS_S,
        minimum_level_db: float = 0.0,
        modulation: str | None = "jepsen2008",
        max_modulation_hz: float | None = 150.0,
        modulation_q: float = 2.0,
        output: str = "modulation",
        pooling: str | Callable | Sequence | TemporalPooling | None = ("mean", "std"),
        frame_length: float | None = 0.010,
        rms_one_db_spl: float | None = None,
        dtype: str = "float32",
        n_jobs: int | None = None,
    ) -> None:
        self.sample_rate = sample_rate
        self.headphone = headphone
        self.middle_ear = middle_ear
        self.phase = phase
        self.low_hz = low_hz
        self.high_hz = high_hz
        self.spacing = spacing
        self.bandwidth_factor = bandwidth_factor
        self.hair_cell = hair_cell
        self.adaptation_limit = adaptation_limit
        self.adaptation_time_constants_s = adaptation_time_constants_s
        self.minimum_level_db = minimum_level_db
        self.modulation = modulation
        self.max_modulation_hz = max_modulation_hz
        self.modulation_q = modulation_q
        self.output = output
        self.pooling = pooling
        self.frame_length = frame_length
        self.rms_one_db_spl = rms_one_db_spl
        self.dtype = dtype
        self.n_jobs = n_jobs

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> "Osses2021":
        """Model with the parameters of a publication or a program.

        Parameters
        ----------
        name : {"osses2021", "amt", "dau1997"}
            The paper's model; what the Auditory Modeling Toolbox computes for it; the model of Dau et al. (1997).
        **overrides : Any
            Parameters to set otherwise.

        Returns
        -------
        Osses2021
            An unfitted model.

        Raises
        ------
        ValueError
            If there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"name={name!r} is not a preset; it must be one of {tuple(PRESETS)}.")
        return cls(**{**PRESETS[name], **overrides})

    # --- parameters to coefficients ---

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_rate(self.sample_rate)
        for stage in self._make_stages().values():
            stage._check_parameters()

    def _make_stages(self) -> Bunch:
        """The stages, each with those of the model's parameters that it has, not fitted."""
        parts: dict[str, Any] = {
            "headphone": HeadphoneFilter if self.headphone else None,
            "middle_ear": MiddleEarFilter if self.middle_ear else None,
            "filterbank": GammatoneFilterbank,
            "hair_cell": HairCellEnvelope,
            "adaptation": AdaptationLoops,
            "modulation": ModulationFilterbank if self.modulation else None,
        }
        not_theirs = {"pooling", "frame_length", "rms_one_db_spl", "n_jobs"}
        parameters = {k: v for k, v in self._parameters().items() if k not in not_theirs}
        return Bunch(
            **{
                name: part(**{k: v for k, v in parameters.items() if k in part._get_param_names()})
                for name, part in parts.items()
                if part is not None
            }
        )

    def _design(self) -> None:
        self.stages_ = self._make_stages()
        self.n_channels_ = 0
        for name, stage in self.stages_.items():
            stage.n_ears_in_ = self.n_ears_in_ if name in (*_EARS, "filterbank") else self.n_channels_
            stage._design()
            if name == "filterbank":
                self.n_channels_ = stage.n_channels_
        filterbank = self.stages_.filterbank
        self.center_frequencies_hz_ = filterbank.center_frequencies_hz_
        self.coefficients_ = Design(
            n_channels=self.n_channels_,
            gammatone=filterbank.coefficients_.gammatone,
            hair_cell=self.stages_.hair_cell.coefficients_.hair_cell,
            adaptation=self.stages_.adaptation.coefficients_.adaptation,
        )
        if self.modulation:
            bank = self.stages_.modulation
            self.modulation_index_ = bank.modulation_index_
            own = bank.coefficients_
            self.coefficients_ = self.coefficients_._replace(
                envelope_low_pass=own.envelope_low_pass, modulation=own.modulation, n_filters=own.n_filters
            )
        self._chain_ = Chain(self.coefficients_, "filterbank" if self.output in _EARS else self.output, self.dtype)
        ears = "".join(stage._fingerprint_ for stage in self._ears().values())
        self._fingerprint_ = sha1((ears + self._chain_.fingerprint()).encode()).hexdigest()[:10]

    def _ears(self, last: str = "middle_ear") -> dict[str, EarStage]:
        """Ear filters in order, up to the last that is asked for."""
        names = _EARS[: _EARS.index(last) + 1]
        return {name: self.stages_[name] for name in names if name in self.stages_}

    def _available_outputs(self) -> tuple[str, ...]:
        lacking = [
            name
            for name, there in (
                ("headphone", self.headphone),
                ("middle_ear", self.middle_ear),
                ("modulation", self.modulation),
            )
            if not there
        ]
        return tuple(name for name in self._outputs if name not in lacking)

    def _channel_names(self) -> list[str]:
        if self.output in _EARS:
            return ["sound"]
        if self.output == "modulation":
            return modulation_names(self.modulation_index_)
        return channel_names(self.center_frequencies_hz_)

    # --- runs ---

    def _stream(self, clip: np.ndarray, last: str = "middle_ear") -> Iterator[np.ndarray]:
        """Blocks of a clip behind the ear filters."""
        blocks = iter_blocks(clip)
        for stage in self._ears(last).values():
            blocks = stage._stream(blocks)
        return blocks

    def _run_full(self, clips: list[np.ndarray], names: tuple[str, ...]) -> list[tuple[np.ndarray, ...]]:
        return [self._run_one(clip, names) for clip in clips]

    def _run_one(self, clip: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, ...]:
        sound = clip
        responses: dict[str, np.ndarray] = {}
        for name, stage in self._ears().items():
            sound = np.concatenate(list(stage._stream(iter_blocks(sound))), axis=1)
            responses[name] = sound[:, np.newaxis]
        inner = tuple(name for name in names if name in OUTPUTS)
        if inner:
            state = self._chain_.initial_state(len(clip))
            responses |= dict(zip(inner, self._chain_.full(sound, state, inner)))
        return tuple(responses[name] for name in names)

    def _run_frames(self, clips: list[np.ndarray], frame_length: int | None) -> list[np.ndarray]:
        if frame_length is None:
            return [responses[0] for responses in self._run_full(clips, (self.output,))]
        if self.output in _EARS:
            return [_frames(self._run_one(clip, (self.output,))[0], frame_length) for clip in clips]
        return [self._chain_.clip_frames(self._stream(clip), len(clip), clip.shape[1], frame_length) for clip in clips]

    def _frame_blocks(self, clips: list[np.ndarray], frame_length: int | None) -> Iterator[tuple[int, np.ndarray]]:
        for i, clip in enumerate(clips):
            if self.output in self._ears():
                blocks = mean_of_blocks(self._stream(clip, self.output), frame_length or 1)
            else:
                blocks = self._chain_.frame_blocks(self._stream(clip), len(clip), frame_length)
            for frames in blocks:
                yield i, frames

    def _initial_arrays(self, n_ears: int) -> Any:
        ears = self._ears().values()
        if ears:
            check_causal(self.phase)
        if self.output in _EARS and self.frame_length is not None:
            raise ValueError(
                f"output={self.output!r} has no frames in chunks; use frame_length=None, or the stage itself."
            )
        return [stage._history(n_ears) for stage in ears], self._chain_.initial_state(n_ears)

    def _run_chunk(self, clip: np.ndarray, arrays: Any, frame_length: int | None) -> tuple[np.ndarray, Any]:
        histories, state = arrays
        after, responses = [], {}
        for (name, stage), history in zip(self._ears().items(), histories):
            clip, history = stage._go_on(clip, history)
            responses[name] = clip[:, np.newaxis]
            after.append(history)
        if self.output in _EARS:
            return responses[self.output], (after, state)
        state = state.copy()
        if frame_length is None:
            return self._chain_.full(clip, state, (self.output,))[0], (after, state)
        out, n_frames = self._chain_.frames(iter([clip]), state, clip.shape[1], frame_length)
        return out[..., :n_frames], (after, state)


def _frames(response: np.ndarray, frame_length: int) -> np.ndarray:
    """Means over frames of the last axis."""
    length = min(frame_length, response.shape[-1])
    n_frames = response.shape[-1] // length
    return response[..., : n_frames * length].reshape(*response.shape[:-1], n_frames, length).mean(axis=-1)
