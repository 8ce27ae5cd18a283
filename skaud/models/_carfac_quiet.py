"""CARFAC in quiet: what one of its ears makes of pure tones near threshold."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from skaud.fitting.audiogram import matching_levels
from skaud.hearing.thresholds import hl_to_spl

AT_ONCE = 4  # tones that the kernel runs side by side
RISE_S = 0.005
# Before the NAP is measured: for the cascade, within 0.1 dB up to 6 kHz, and for the AGC's longest time constant.
SETTLE_S, SETTLE_PERIODS, SETTLE_TIME_CONSTANTS = 0.012, 8, 4
WINDOW_S, WINDOW_PERIODS = 0.01, 4
LEAST_POWER = 1e-300  # of a NAP that is 0, without fibres


class QuietEar:
    """One ear of a CARFAC that hears a pure tone of each frequency, alone and in quiet; in float64, whatever the model.

    Its response in dB is ten times the logarithm of the NAP's mean square, summed over channels, in steady state; the
    NAP is taken relative to its rest, from which lost fibres move it.

    Parameters
    ----------
    model : CARFAC
        Designed; only what its ears have in common counts.
    frequencies_hz : ndarray of shape (n_frequencies,)
        Frequencies, rising.
    steady : bool
        Wait for the AGC too. Near threshold, with all fibres, it has nothing to do and need not be waited for.
    """

    def __init__(self, model: Any, frequencies_hz: np.ndarray, *, steady: bool) -> None:
        self.frequencies_hz = frequencies_hz
        self.n_channels, self.pole_hz = model.n_channels_, model.pole_frequencies_hz_
        self.erb_per_step = model._parameters()["erb_per_step"]
        self._model = copy.copy(model)
        self._model.dtype, self._model.output = "float64", "nap"
        self._model._redesign({**model._found_, "ohc_health": np.ones(self.n_channels), "n_fibers": None})
        (self._healthy,) = self._model._ears_
        self.healthy_fibers = None if self._healthy.synapse is None else np.array(self._model.n_fibers_)
        time_constants = np.asarray(self._model._parameters()["agc_time_constants_s"])
        self._settle_s = SETTLE_TIME_CONSTANTS * time_constants.max() if steady else 0.0
        self._batches = [slice(i, i + AT_ONCE) for i in range(0, len(frequencies_hz), AT_ONCE)]
        self.healthy_db = self.response_db(np.zeros(len(frequencies_hz)), np.ones(self.n_channels))

    def response_db(
        self, level_db_hl: np.ndarray, ohc_health: np.ndarray, n_fibers: np.ndarray | None = None
    ) -> np.ndarray:
        """Response to tones at these levels, one a frequency."""
        model, rest = self._with(ohc_health, n_fibers), self.rest(n_fibers)[:, np.newaxis]

        def listen(batch: slice) -> np.ndarray:
            clips, n_settle, window = self._tones(self.frequencies_hz[batch], level_db_hl[batch])
            return _response_db(_run_from(model, clips, n_settle) - rest, window)

        return np.concatenate(self._map(listen, [(batch,) for batch in self._batches]))

    def vjp(
        self, level_db_hl: np.ndarray, ohc_health: np.ndarray, n_fibers: np.ndarray | None, wrt: tuple[str, ...]
    ) -> tuple[np.ndarray, Callable[[np.ndarray], dict[str, np.ndarray]]]:
        """Response, and its pullback to ohc_health or n_fibers, whatever wrt names."""
        model, rest = self._with(ohc_health, n_fibers), self.rest(n_fibers)[:, np.newaxis]
        rests = rest.any()

        def listen(batch: slice) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[Any, np.ndarray]]]:
            clips, n_settle, window = self._tones(self.frequencies_hz[batch], level_db_hl[batch])
            naps, tape = model._engine_.record(np.stack(clips), "nap", None, begin=n_settle)
            moved = naps[:, 0] - rest if rests else naps[:, 0]
            response_db = _response_db(moved, window)

            def pullback(response_bar: np.ndarray) -> tuple[Any, np.ndarray]:
                # response = 10 log10(sum over channels and time of window moved^2)
                per_power = 20 / np.log(10) * response_bar / 10 ** (response_db / 10)
                nap_bar = moved * (per_power[:, np.newaxis] * window)[:, np.newaxis]
                moved_bar = nap_bar.sum(axis=(0, 2)) if "n_fibers" in wrt else np.zeros(self.n_channels)
                return model._engine_.pull_back(tape, nap_bar[:, np.newaxis], model._parts_of(wrt))[1], moved_bar

            return response_db, pullback

        heard = self._map(listen, [(batch,) for batch in self._batches])

        def pullback(response_bar: np.ndarray) -> dict[str, np.ndarray]:
            parts = self._map(_call, [(back, response_bar[own]) for own, (_, back) in zip(self._batches, heard)])
            grads = model._sum_parameter_bars([[bars] for bars, _ in parts], wrt)
            if "n_fibers" in wrt:  # moved = nap - rest
                moved_bar = sum(moved_bar for _, moved_bar in parts)
                grads["n_fibers"] = grads["n_fibers"] - moved_bar[:, np.newaxis] * self._nap_per_fiber()
            return grads

        return np.concatenate([response for response, _ in heard]), pullback

    def _map(self, function: Callable, arguments: list[tuple]) -> list:
        """function(*arguments), in threads where the model asks for them."""
        if self._model.n_jobs in (None, 1):
            return [function(*own) for own in arguments]
        return Parallel(n_jobs=self._model.n_jobs, prefer="threads")(delayed(function)(*own) for own in arguments)

    def thresholds_db_hl(self, ohc_health: np.ndarray, n_fibers: np.ndarray | None = None) -> np.ndarray:
        """Levels at which this ear responds as the healthy one does at its threshold."""
        return matching_levels(lambda level: self.response_db(level, ohc_health, n_fibers), self.healthy_db)

    def _with(self, ohc_health: np.ndarray, n_fibers: np.ndarray | None) -> Any:
        """The model with an ear of such health."""
        car, _, synapse, _ = self._healthy
        ear = self._healthy._replace(car=car._replace(ohc_health=ohc_health))
        if n_fibers is not None and synapse is not None:
            ear = ear._replace(synapse=synapse._replace(n_fibers=n_fibers * self._model.ihcs_per_channel))
        model = copy.copy(self._model)
        model._ears_ = (ear,)
        model._start_engine()
        model._found_ = {**model._found_, "ohc_health": ohc_health, "n_fibers": n_fibers}
        return model

    def rest(self, n_fibers: np.ndarray | None) -> np.ndarray:
        """NAP of every channel in silence, 0 with all fibres."""
        if n_fibers is None or self.healthy_fibers is None:
            return np.zeros(self.n_channels)
        return (n_fibers - self.healthy_fibers) @ self._nap_per_fiber()

    def _nap_per_fiber(self) -> np.ndarray:
        """NAP in silence of a fibre of every class in all hair cells of a channel."""
        synapse = self._healthy.synapse
        return np.zeros(3) if synapse is None else synapse.spont_p * synapse.agc_weight * self._model.ihcs_per_channel

    def _tones(self, frequencies_hz: np.ndarray, level_db_hl: np.ndarray) -> tuple[list[np.ndarray], int, np.ndarray]:
        """Tones (1, n_samples) in the model's own level, the samples that come first, and the window behind them."""
        rate, lowest_hz = self._model.sample_rate, frequencies_hz.min()
        n_settle = round(max(SETTLE_S, SETTLE_PERIODS / lowest_hz, self._settle_s) * rate)
        window = np.hanning(round(max(WINDOW_S, WINDOW_PERIODS / lowest_hz) * rate) + 2)[1:-1]
        time_s = np.arange(n_settle + len(window)) / rate
        rise = np.sin(np.pi / 2 * np.minimum(time_s / RISE_S, 1)) ** 2
        amplitude = np.sqrt(2) * 10 ** ((hl_to_spl(frequencies_hz, level_db_hl) - self._model._rms_one_db_spl) / 20)
        tones = amplitude[:, np.newaxis] * rise * np.sin(2 * np.pi * frequencies_hz[:, np.newaxis] * time_s)
        return [tone[np.newaxis] for tone in tones], n_settle, window / window.sum()


def _response_db(moved: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Mean square (n_tones, n_channels, n_samples) over a window, summed over channels, in dB."""
    power = (np.square(moved) @ window).sum(axis=1)
    return np.asarray(10 * np.log10(np.maximum(power, LEAST_POWER)))


def _run_from(model: Any, clips: list[np.ndarray], begin: int) -> np.ndarray:
    """NAP (n_clips, n_channels, n_samples) of clips from a sample on; what comes before is not kept."""
    x, engine = np.stack(clips), model._engine_
    _, state = engine.run(x[..., :begin], engine.start(len(x), 1), ("nap",), begin + 1)  # in a frame that never ends
    responses, _ = engine.run(x[..., begin:], state, ("nap",), None)
    return responses["nap"][:, 0]


def _call(function: Callable, *arguments: np.ndarray) -> Any:
    return function(*arguments)
