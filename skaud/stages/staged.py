"""Models that are stages one after the other: what derives from the list of them."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
from sklearn.utils import Bunch

from skaud._fitted import parameter_names, remember_parameters
from skaud.engines.engine import Engine
from skaud.engines.series import Series, series
from skaud.estimator.callbacks import FitProgress
from skaud.estimator.learning import LearningTransformer
from skaud.estimator.sounds import Sounds
from skaud.fitting.classification import Labels
from skaud.fitting.movable import Parameters, Value
from skaud.stages.stage import ChannelStage, Stage

MOST_KEPT = 4  # numbers a sample of the sound, of what learning does not change


class StagedTransformer(LearningTransformer):
    """Base of models made of stages; they supply their constructor, and name the classes of their stages.

    A stage is named as its output. Of the model's parameters it has those that are called as its own, with their
    constraints. A parameter that is called as a stage leaves it out where it is None or False.
    """

    stage_classes: dict[str, type[Stage]] = {}  # in order

    stages_: Bunch
    _n_engines_left_out_ = 0  # at the front: their responses to the clips are known
    # Parameters that no stage is given.
    not_theirs: tuple[str, ...] = ("pooling", "frame_length", "rms_one_db_spl", "n_jobs")
    renamed: dict[str, dict[str, str]] = {}  # by stage: its own name of a parameter, and the model's

    @classmethod
    def constraints_of_stages(cls) -> dict[str, list]:
        return {
            cls.renamed.get(name, {}).get(own, own): constraint
            for name, stage in cls.stage_classes.items()
            for own, constraint in stage._parameter_constraints.items()
        }

    def available_outputs(self) -> tuple[str, ...]:
        """Names of the stages."""
        return tuple(name for name in self.stage_classes if not _is_off(getattr(self, name, True)))

    # --- parameters to coefficients ---

    def check_parameters(self) -> None:
        super().check_parameters()
        self._refuse_of_no_stage()
        for stage in self.make_stages().values():
            stage.check_parameters()

    def _refuse_of_no_stage(self) -> None:
        """Refuse what is given to a stage that is left out."""
        there = self.available_outputs()
        left_out = {theirs: name for name, own in self.renamed.items() if name not in there for theirs in own.values()}
        for theirs, name in left_out.items():
            if getattr(self, theirs, None) is not None:
                raise ValueError(
                    f"{theirs} is given, and {name}={getattr(self, name)!r} leaves that filter out; change {name}, or "
                    f"set {theirs}=None."
                )

    def make_stages(self) -> Bunch:
        """The stages, each with those of the model's parameters that it has, and those that a fit found; not fitted."""
        stages = Bunch()
        for name in self.available_outputs():
            stage, renamed = self.stage_classes[name], self.renamed.get(name, {})
            own = {k: renamed.get(k, k) for k in parameter_names(stage) if k not in self.not_theirs}
            own = {k: theirs for k, theirs in own.items() if hasattr(self, theirs)}
            stages[name] = stage(**{k: getattr(self, theirs) for k, theirs in own.items()})
            stages[name].found_ = {k: self.found_[theirs] for k, theirs in own.items() if theirs in self.found_}
        return stages

    def make_design(self) -> None:
        before = self.stages_ if self.found_ and hasattr(self, "stages_") else {}
        self.stages_ = self.make_stages()
        n_channels = None
        for name, stage in self.stages_.items():
            if name in before and _same(before[name].found_, stage.found_):  # a fit changes few stages, many times
                stage = self.stages_[name] = before[name]
            else:
                stage.n_ears_in_, stage.takes_any_ears_ = self.n_ears_in_, self.takes_any_ears_
                if isinstance(stage, ChannelStage):
                    stage.take_channels(n_channels)
                self._design_stage(name, stage)
                remember_parameters(stage)
            n_channels = len(stage.channel_names())
        super().make_design()

    def _design_stage(self, name: str, stage: Stage) -> None:
        try:
            stage.redesign(stage.found_)
        except ValueError as error:
            message = str(error)
            for own, theirs in self.renamed.get(name, {}).items():  # as the parameter is called here
                message = message.replace(own, theirs)
            raise ValueError(message) from error

    def make_engine(self, parameters: Parameters, dtype: str) -> Engine:
        changed: dict[str, Parameters] = {}
        for name, value in parameters.items():
            stage_name, own = self._owners()[name]
            changed.setdefault(stage_name, {})[own] = value
        engines: list[Engine] = []
        for shared, group in groupby(self.stages_.items(), lambda item: item[1].shared_engine):
            neighbours = list(group)
            if shared is not None:
                brought = [stage.coefficients_with(changed.get(name, {})) for name, stage in neighbours]
                engines.append(neighbours[0][1].fuse(brought, dtype))
                continue
            for name, stage in neighbours:
                is_same = name not in changed and dtype == self.dtype
                engines.append(stage.engine_ if is_same else stage.make_engine(changed.get(name, {}), dtype))
        return series(engines[self._n_engines_left_out_ :])

    def why_no_chunks(self) -> str | None:
        return next(filter(None, (stage.why_no_chunks() for stage in self.stages_.values())), None)

    # --- parameters that have a derivative, which the stages own ---

    def _owners(self) -> dict[str, tuple[str, str]]:
        """Stage of every parameter that has a derivative, and the parameter's name there."""
        return {
            self.renamed.get(name, {}).get(own, own): (name, own)
            for name, stage in self.stages_.items()
            for own in stage.differentiable()
        }

    def differentiable(self) -> tuple[str, ...]:
        return tuple(self._owners())

    def learnable_names(self) -> tuple[str, ...]:
        reached = list(self.stages_)[: list(self.stages_).index(self.output) + 1]
        return tuple(name for name, (stage, _) in self._owners().items() if stage in reached)

    def bounds(self) -> dict[str, tuple[float, float]]:
        return self.joint_bounds(())

    def joint_bounds(self, names: tuple[str, ...]) -> dict[str, tuple[float, float]]:
        return {name: self.stages_[stage].joint_bounds(names)[own] for name, (stage, own) in self._owners().items()}

    def value_of(self, name: str) -> np.ndarray:
        stage, own = self._owners()[name]
        return self.stages_[stage].value_of(own)

    def parts_moved_by(self, names: Sequence[str]) -> tuple[str, ...]:
        return tuple({self._owners()[name][0] for name in names})

    def parameter_bar(self, name: str, bars: tuple[np.ndarray, ...]) -> np.ndarray:
        stage, own = self._owners()[name]
        at = 0
        for engine in self.engine_.engines:
            n_arrays = len(engine.coefficients())
            if stage in engine.outputs and (arrays := engine.arrays_of(stage)) is not None:  # as those of it alone
                return self.stages_[stage].parameter_bar(own, bars[at : at + n_arrays][arrays])
            at += n_arrays
        return super().parameter_bar(name, bars)

    def learn_from(self, sounds: Sounds, labels: Labels, progress: FitProgress) -> None:
        """Learn; what comes before the first stage that learns is computed once, where it holds little."""
        learning = {self._owners()[name][0] for name in self.learned_names()}
        engine = self.engine_
        if isinstance(engine, Series) and sounds.place.on_host:
            n_fixed = min(k for k, own in enumerate(engine.engines) if not learning.isdisjoint(own.outputs))
            if n_fixed and engine.engines[n_fixed].takes_channels:
                first = engine.taken_by(n_fixed, sounds.clips[0][np.newaxis])[0]
                if first.size <= MOST_KEPT * sounds.clips[0].size:
                    rest = (engine.taken_by(n_fixed, clip[np.newaxis])[0] for clip in sounds.clips[1:])
                    sounds = sounds._replace(clips=[first, *rest])
                    self._n_engines_left_out_ = n_fixed
        try:
            super().make_design()
            super().learn_from(sounds, labels, progress)
        finally:
            self.__dict__.pop("_n_engines_left_out_", None)
        super().make_design()

    # --- names ---

    def channel_names(self) -> list[str]:
        names: list[str] = []
        for name, stage in self.stages_.items():
            names = stage.names_after(names)
            if name == self.output:
                break
        return names


def _is_off(value: object) -> bool:
    return value is None or (isinstance(value, (bool, np.bool_)) and not value)


def _same(a: Mapping[str, Value], b: Mapping[str, Value]) -> bool:
    """Whether two dicts have the same numbers under the same names."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
