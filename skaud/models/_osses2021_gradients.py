"""Derivatives of Osses et al. (2021): ears, then the chain of the other stages."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaud.design.osses2021 import Design
from skaud.stages._chain_gradients import pull_back, record
from skaud.stages._stage import OUTPUTS, Chain, ChainGradients
from skaud.stages.ears import EarStage

EARS = ("headphone", "middle_ear")


class Osses2021Gradients(ChainGradients):
    """Derivatives of the model, once it is designed."""

    stages_: Bunch
    n_channels_: int

    def _ears(self, last: str = "middle_ear") -> dict[str, EarStage]:
        """Ear filters in order, up to the last that is asked for."""
        names = EARS[: EARS.index(last) + 1]
        return {name: self.stages_[name] for name in names if name in self.stages_}

    # --- parameters, which the stages own ---

    def _owners(self) -> dict[str, tuple[str, str]]:
        """Stage of every parameter that has a derivative, and the parameter's name there."""
        owners = {}
        for stage in self.stages_:
            for own in self.stages_[stage]._differentiable():
                owners[f"{stage}_{own}" if stage in EARS else own] = stage, own
        return owners

    def _differentiable(self) -> tuple[str, ...]:
        return tuple(self._owners())

    def _bounds(self) -> dict[str, tuple[float, float]]:
        return {name: self.stages_[stage]._bounds()[own] for name, (stage, own) in self._owners().items()}

    def _differentiated(self, name: str) -> np.ndarray:
        stage, own = self._owners()[name]
        return self.stages_[stage]._differentiated(own)

    def _design_with(self, parameters: dict[str, Any]) -> Design:
        owners = self._owners()
        parts = []
        for name in OUTPUTS:
            if name in self.stages_:
                stage, changed = self.stages_[name], {k: v for k, v in parameters.items() if owners[k][0] == name}
                parts.append(stage._design_with(changed) if changed else stage.coefficients_)
        # Of every part only the fields of its own stage are not empty.
        fields = {k: v for part in parts for k, v in part._asdict().items() if v not in (None, ())}
        return Design(**fields | {"n_channels": self.n_channels_})

    # --- runs ---

    def _run_vjp(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, wrt: tuple[str, ...]
    ) -> tuple[list[np.ndarray], Callable]:
        (sound,) = clips
        owners = self._owners()
        ears, entered = self._ears(output if output in EARS else "middle_ear"), []
        for stage in ears.values():
            entered.append(sound)
            sound = stage._filtered(sound)
        if output in EARS:
            response, run = sound[:, np.newaxis], None
            if frame_length is not None:
                response = frames_of(response, frame_length)
        else:
            response, run = record(self._chain_, sound, len(sound), output, frame_length)
        n_samples = sound.shape[1]

        def pullback(value_bars: list[np.ndarray]) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
            (bar,) = value_bars
            grads = {}
            if run is None:
                out_bar = bar if frame_length is None else frames_adjoint(bar, frame_length, n_samples)
                sound_bar = np.require(out_bar[:, 0], self.dtype, ["C_CONTIGUOUS", "WRITEABLE"])
            else:
                wanted = {OUTPUTS.index(owners[name][0]) for name in wrt if name != "X" and owners[name][0] in OUTPUTS}
                sound_bar, bars = pull_back(run, bar, sum(1 << stage for stage in wanted))
                for name in wrt:
                    if name != "X" and owners[name][0] in OUTPUTS:
                        grads[name] = self._coefficients_vjp(name, bars)
            for (ear, stage), x in zip(reversed(ears.items()), reversed(entered)):
                if f"{ear}_gains_db" in wrt:
                    grads[f"{ear}_gains_db"] = stage._gains_vjp(x, sound_bar)
                sound_bar = stage._filtered_adjoint(sound_bar)
            for name in wrt:  # of stages behind the output
                if name != "X" and name not in grads:
                    grads[name] = np.zeros(self._differentiated(name).shape)
            return [sound_bar], {name: grads[name] for name in wrt if name != "X"}

        return [response], pullback

    def _run_complex(
        self, clips: list[np.ndarray], output: str, frame_length: int | None, parameters: dict[str, Any]
    ) -> list[np.ndarray]:
        of_ears = {f"{ear}_gains_db" for ear in EARS}
        design = self._design_with({k: v for k, v in parameters.items() if k not in of_ears})
        ears = self._ears(output if output in EARS else "middle_ear")
        responses = []
        for clip in clips:
            sound = clip
            for ear, stage in ears.items():
                sound = stage._filtered(sound, stage._complex_taps(parameters.get(f"{ear}_gains_db")))
            if output not in EARS:
                chain = Chain(design, output, "complex128")
                responses.append(chain.respond(sound, len(sound), output, frame_length))
            else:
                response = sound[:, np.newaxis]
                responses.append(response if frame_length is None else frames_of(response, frame_length))
        return responses


def frames_of(response: np.ndarray, frame_length: int) -> np.ndarray:
    """Means over frames of the last axis."""
    length = min(frame_length, response.shape[-1])
    n_frames = response.shape[-1] // length
    return response[..., : n_frames * length].reshape(*response.shape[:-1], n_frames, length).mean(axis=-1)


def frames_adjoint(frames_bar: np.ndarray, frame_length: int, n_samples: int) -> np.ndarray:
    """Bar of a response of so many samples, from that of frames_of."""
    length = min(frame_length, n_samples)
    response_bar = np.zeros((*frames_bar.shape[:-1], n_samples))
    # frames = response.reshape(..., n_frames, length).mean(axis=-1)
    response_bar[..., : frames_bar.shape[-1] * length] = np.repeat(frames_bar / length, length, axis=-1)
    return response_bar
