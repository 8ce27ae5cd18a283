"""CARFAC in quiet: what one of its ears makes of pure tones near threshold."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from joblib import Parallel, delayed

from skaud.design.carfac import FULL_SCALE_DB_SPL, CARFACCoefficients
from skaud.engines.carfac import Cascade, channels_bar, health_bar
from skaud.engines.device import engine_for
from skaud.fitting.carfac import DesignedCARFAC
from skaud.hearing.thresholds import hl_to_spl
from skaud.kernels.array_api import HOST, Array, Place, array_namespace, to_numpy
from skaud.kernels.on_device import on_device

AT_ONCE = 4  # tones that the kernel runs side by side
RISE_S = 0.005
# Before the NAP is measured: for the cascade, within 0.1 dB up to 6 kHz, and for the AGC's longest time constant.
SETTLE_S, SETTLE_PERIODS, SETTLE_TIME_CONSTANTS = 0.012, 8, 4
WINDOW_S, WINDOW_PERIODS = 0.01, 4
LEAST_POWER = 1e-300  # of a NAP that is 0, without fibres
LOWEST_DB_HL, HIGHEST_DB_HL = -20.0, 120.0
EXACT_DB = 1e-3  # of a threshold


class Cochlea(NamedTuple):
    """What makes an ear of a CARFAC, apart from its health."""

    healthy: CARFACCoefficients
    pole_hz: np.ndarray
    erb_per_step: float
    sample_rate: float
    ihc_style: str
    delay: bool
    closed: bool
    ihcs_per_channel: float
    agc_time_constants_s: np.ndarray
    n_jobs: int | None
    place: Place

    @classmethod
    def of(cls, model: DesignedCARFAC, place: Place = HOST) -> Self:
        """That of a designed CARFAC, with all fibres; only what its ears have in common counts.

        place : where it listens
        """
        ear = ears_of(model)[0]
        healthy = ear._replace(car=ear.car._replace(ohc_health=np.ones(model.n_channels_)))
        if ear.synapse is not None:
            fibers = np.broadcast_to(np.asarray(model.healthy_n_fibers, dtype=float), ear.synapse.n_fibers.shape)
            healthy = healthy._replace(synapse=ear.synapse._replace(n_fibers=fibers * model.ihcs_per_channel))
        return cls(
            healthy=healthy,
            pole_hz=model.pole_frequencies_hz_,
            erb_per_step=model.erb_per_step,
            sample_rate=model.sample_rate,
            ihc_style=model.ihc_style,
            delay=bool(model.use_delay_buffer),
            closed=not model.open_loop,
            ihcs_per_channel=model.ihcs_per_channel,
            agc_time_constants_s=np.asarray(getattr(model, "agc_time_constants_s_", model.agc_time_constants_s)),
            n_jobs=model.n_jobs if place.on_host else None,  # a device has tones side by side
            place=place,
        )

    @property
    def healthy_fibers(self) -> np.ndarray | None:
        """Fibres a hair cell, (n_channels, n_classes), where there is a synapse."""
        synapse = self.healthy.synapse
        return None if synapse is None else synapse.n_fibers / self.ihcs_per_channel

    def ear(self, ohc_health: np.ndarray, n_fibers: np.ndarray | None, dtype: str = "float64") -> Cascade:
        """Engine of an ear of such health; with all fibres, or those given."""
        ear = self.healthy._replace(car=self.healthy.car._replace(ohc_health=ohc_health))
        if n_fibers is not None and ear.synapse is not None:
            ear = ear._replace(synapse=ear.synapse._replace(n_fibers=n_fibers * self.ihcs_per_channel))
        return Cascade((ear,), self.ihc_style, self.sample_rate, dtype, delay=self.delay, closed=self.closed)

    def listener(self, ohc_health: np.ndarray, n_fibers: np.ndarray | None) -> Any:
        """Engine of an ear of such health, where it listens: it takes arrays of that place."""
        ear = self.ear(ohc_health, n_fibers)
        return ear if self.place.on_host else engine_for(ear, self.place, "CARFAC")


def ears_of(model: DesignedCARFAC) -> tuple[CARFACCoefficients, ...]:
    """Coefficients of every ear of a designed CARFAC, or of all."""
    one = isinstance(model.coefficients_, CARFACCoefficients)
    return (model.coefficients_,) if one else tuple(model.coefficients_)


class QuietEar:
    """One ear of a CARFAC that hears a pure tone of each frequency, alone and in quiet; in float64, whatever the model.

    Its response in dB is ten times the logarithm of the NAP's mean square, summed over channels, in steady state; the
    NAP is taken relative to its rest, from which lost fibres move it.

    Parameters
    ----------
    cochlea : Cochlea
        What the ear is made of.
    frequencies_hz : ndarray of shape (n_frequencies,)
        Frequencies, rising.
    steady : bool
        Wait for the AGC too. Near threshold, with all fibres, it has nothing to do and need not be waited for.
    """

    def __init__(self, cochlea: Cochlea, frequencies_hz: np.ndarray, *, steady: bool) -> None:
        self.cochlea, self.frequencies_hz = cochlea, frequencies_hz
        self.pole_hz, self.erb_per_step = cochlea.pole_hz, cochlea.erb_per_step
        self.n_channels, self.healthy_fibers = len(cochlea.pole_hz), cochlea.healthy_fibers
        self._settle_s = SETTLE_TIME_CONSTANTS * cochlea.agc_time_constants_s.max() if steady else 0.0
        self._batches = [slice(i, i + AT_ONCE) for i in range(0, len(frequencies_hz), AT_ONCE)]
        self.healthy_db = self.response_db(np.zeros(len(frequencies_hz)), np.ones(self.n_channels))

    def response_db(
        self, level_db_hl: np.ndarray, ohc_health: np.ndarray, n_fibers: np.ndarray | None = None
    ) -> np.ndarray:
        """Response to tones at these levels, one a frequency."""
        engine, place = self.cochlea.listener(ohc_health, n_fibers), self.cochlea.place
        rest = place.bring(self.rest(n_fibers)[:, np.newaxis])

        def listen(batch: slice) -> np.ndarray:
            x, n_settle, window = self._tones(self.frequencies_hz[batch], level_db_hl[batch])
            return _response_db(_run_from(engine, place.bring(x), n_settle) - rest, place.bring(window))

        with on_device(place, "CARFAC", AT_ONCE):
            return np.concatenate(self._map(listen, [(batch,) for batch in self._batches]))

    def vjp(
        self, level_db_hl: np.ndarray, ohc_health: np.ndarray, n_fibers: np.ndarray | None, wrt: tuple[str, ...]
    ) -> tuple[np.ndarray, Callable[[np.ndarray], dict[str, np.ndarray]]]:
        """Response, and its pullback to ohc_health or n_fibers, whatever wrt names."""
        engine, place = self.cochlea.listener(ohc_health, n_fibers), self.cochlea.place
        resting = self.rest(n_fibers)[:, np.newaxis]
        rest = place.bring(resting)

        def listen(batch: slice) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[Any, np.ndarray]]]:
            x, n_settle, window = self._tones(self.frequencies_hz[batch], level_db_hl[batch])
            naps, tape = engine.record(place.bring(x), "nap", None, begin=n_settle)
            moved = naps[:, 0, ...] - rest if resting.any() else naps[:, 0, ...]
            response_db = _response_db(moved, place.bring(window))

            def pullback(response_bar: np.ndarray) -> tuple[Any, np.ndarray]:
                # response = 10 log10(sum over channels and time of window moved^2)
                per_power = 20 / np.log(10) * response_bar / 10 ** (response_db / 10)
                nap_bar = moved * place.bring((per_power[:, np.newaxis] * window)[:, np.newaxis])
                xp, moved_bar = array_namespace(nap_bar), np.zeros(self.n_channels)
                if "n_fibers" in wrt:
                    moved_bar = to_numpy(xp.sum(nap_bar, axis=(0, 2)))
                # The bars of health are there without being asked for.
                parts = engine.parts if "n_fibers" in wrt else ()
                return engine.pull_back(tape, xp.expand_dims(nap_bar, axis=1), parts)[1], moved_bar

            return response_db, pullback

        with on_device(place, "CARFAC", AT_ONCE):
            heard = self._map(listen, [(batch,) for batch in self._batches])

        def pullback(response_bar: np.ndarray) -> dict[str, np.ndarray]:
            with on_device(place, "CARFAC", AT_ONCE):
                parts = self._map(_call, [(back, response_bar[own]) for own, (_, back) in zip(self._batches, heard)])
            bars = tuple(np.sum(arrays, axis=0) for arrays in zip(*(own for own, _ in parts)))
            grads = {name: self._bar_of(name, bars, ohc_health, n_fibers) for name in wrt}
            if "n_fibers" in wrt:  # moved = nap - rest
                moved_bar = sum(moved_bar for _, moved_bar in parts)
                grads["n_fibers"] = grads["n_fibers"] - moved_bar[:, np.newaxis] * self._nap_per_fiber()
            return grads

        return np.concatenate([response for response, _ in heard]), pullback

    def _map(self, function: Callable, arguments: list[tuple]) -> list:
        """function(*arguments), in threads where the model asks for them."""
        if self.cochlea.n_jobs in (None, 1):
            return [function(*own) for own in arguments]
        return Parallel(n_jobs=self.cochlea.n_jobs, prefer="threads")(delayed(function)(*own) for own in arguments)

    def thresholds_db_hl(self, ohc_health: np.ndarray, n_fibers: np.ndarray | None = None) -> np.ndarray:
        """Levels at which this ear responds as the healthy one does at its threshold."""
        return matching_levels(lambda level: self.response_db(level, ohc_health, n_fibers), self.healthy_db)

    def _bar_of(
        self, name: str, bars: tuple[np.ndarray, ...], ohc_health: np.ndarray, n_fibers: np.ndarray | None
    ) -> np.ndarray:
        """Bar of the health of every channel, or of its fibres."""
        if name == "ohc_health":
            if self.cochlea.closed:
                return health_bar(bars)
            return channels_bar(bars, ohc_health, lambda health: self.cochlea.ear(health, n_fibers, "complex128"))
        assert n_fibers is not None
        return channels_bar(bars, n_fibers, lambda fibers: self.cochlea.ear(ohc_health, fibers, "complex128"))

    def rest(self, n_fibers: np.ndarray | None) -> np.ndarray:
        """NAP of every channel in silence, 0 with all fibres."""
        if n_fibers is None or self.healthy_fibers is None:
            return np.zeros(self.n_channels)
        return (n_fibers - self.healthy_fibers) @ self._nap_per_fiber()

    def _nap_per_fiber(self) -> np.ndarray:
        """NAP in silence of a fibre of every class in all hair cells of a channel."""
        synapse = self.cochlea.healthy.synapse
        return np.zeros(3) if synapse is None else synapse.spont_p * synapse.agc_weight * self.cochlea.ihcs_per_channel

    def _tones(self, frequencies_hz: np.ndarray, level_db_hl: np.ndarray) -> tuple[np.ndarray, int, np.ndarray]:
        """Tones (n_tones, 1, n_samples) at the model's level, samples that come first, and the window behind them."""
        rate, lowest_hz = self.cochlea.sample_rate, frequencies_hz.min()
        n_settle = round(max(SETTLE_S, SETTLE_PERIODS / lowest_hz, self._settle_s) * rate)
        window = np.hanning(round(max(WINDOW_S, WINDOW_PERIODS / lowest_hz) * rate) + 2)[1:-1]
        time_s = np.arange(n_settle + len(window)) / rate
        rise = np.sin(np.pi / 2 * np.minimum(time_s / RISE_S, 1)) ** 2
        amplitude = np.sqrt(2) * 10 ** ((hl_to_spl(frequencies_hz, level_db_hl) - FULL_SCALE_DB_SPL) / 20)
        tones = amplitude[:, np.newaxis] * rise * np.sin(2 * np.pi * frequencies_hz[:, np.newaxis] * time_s)
        return tones[:, np.newaxis], n_settle, window / window.sum()


def matching_levels(response_db: Callable[[np.ndarray], np.ndarray], target_db: np.ndarray) -> np.ndarray:
    """Levels in dB HL at which a rising response reaches its target; NaN where they lie outside the two limits.

    Secants within brackets that every evaluation narrows; the first has a slope of 1 dB a dB.
    """
    low, high = np.full(target_db.shape, LOWEST_DB_HL), np.full(target_db.shape, HIGHEST_DB_HL)
    low_known, high_known = np.zeros((2, *target_db.shape), bool)
    level, slope = np.zeros(target_db.shape), np.ones(target_db.shape)
    above = response_db(level) - target_db
    while True:
        low, low_known = np.where(above < 0, level, low), low_known | (above < 0)
        high, high_known = np.where(above > 0, level, high), high_known | (above > 0)
        found = np.abs(above) < EXACT_DB
        outside = ~found & ((low >= HIGHEST_DB_HL) | (high <= LOWEST_DB_HL))
        found |= high - low < EXACT_DB
        if (found | outside).all():
            return np.where(outside, np.nan, level)
        secant = level - above / slope
        step = np.where(secant <= low, low, np.where(secant >= high, high, secant))
        step = np.where(((step == low) & low_known) | ((step == high) & high_known), (low + high) / 2, step)
        step = np.where(found | outside, level, step)
        before, moved = above, step - level
        level, above = step, response_db(step) - target_db
        slope = np.where(moved == 0, slope, np.clip((above - before) / np.where(moved == 0, 1, moved), 0.1, 10))


def _response_db(moved: Array, window: Array) -> np.ndarray:
    """Mean square (n_tones, n_channels, n_samples) over a window, summed over channels, in dB."""
    xp = array_namespace(moved)
    power = to_numpy(xp.sum(xp.matmul(xp.square(moved), window), axis=1))
    return np.asarray(10 * np.log10(np.maximum(power, LEAST_POWER)))


def _run_from(engine: Any, x: Array, begin: int) -> Array:
    """NAP (n_clips, n_channels, n_samples) of clips from a sample on; what comes before is not kept."""
    # In a frame that never ends.
    _, state = engine.run(x[..., :begin], engine.start(x.shape[0], 1), ("nap",), begin + 1)
    responses, _ = engine.run(x[..., begin:], state, ("nap",), None)
    return responses["nap"][:, 0, ...]


def _call(function: Callable, *arguments: np.ndarray) -> Any:
    return function(*arguments)
