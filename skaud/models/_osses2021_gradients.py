"""Derivatives of Osses et al. (2021): ears, then the chain of the other stages."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaud._learning import LearningTransformer
from skaud.design.osses2021 import Design
from skaud.models._osses2021_runs import EARS, Osses2021Runs, frames_adjoint, frames_of
from skaud.stages._chain_gradients import pull_back, record
from skaud.stages._stage import OUTPUTS, Chain, ChainGradients


class Osses2021Gradients(Osses2021Runs, ChainGradients, LearningTransformer):
    """Derivatives of the model, once it is designed."""

    n_channels_: int
    _make_stages: Callable[[], Bunch]

    # --- parameters, which the stages own ---

    def _owners(self, stages: Bunch | None = None) -> dict[str, tuple[str, str]]:
        """Stage of every parameter that has a derivative, and the parameter's name there."""
        owners, stages = {}, self.stages_ if stages is None else stages
        for stage in stages:
            for own in stages[stage]._differentiable():
                owners[f"{stage}_{own}" if stage in EARS else own] = stage, own
        return owners

    def _differentiable(self) -> tuple[str, ...]:
        return tuple(self._owners())

    def _learnable_names(self) -> tuple[str, ...]:
        stages = self._make_stages()
        reached = list(stages)[: list(stages).index(self.output) + 1]
        return tuple(name for name, (stage, _) in self._owners(stages).items() if stage in reached)

    def _bounds(self) -> dict[str, tuple[float, float]]:
        return self._joint_bounds(())

    def _joint_bounds(self, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
        return {name: self.stages_[stage]._joint_bounds(names)[own] for name, (stage, own) in self._owners().items()}

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
