"""Training: parameters of a model from labels, through a softmax head."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skaud.fitting.classification import Labels, SoftmaxObjective
from skaud.fitting.learn import Learn
from skaud.fitting.movable import Movable, Value
from skaud.fitting.parameters import BoundedParameters
from skaud.fitting.solvers import Solution, minimize_adam, minimize_lbfgs

# Is told of every iteration: its loss, how to have what was found so far, and more words; True stops.
Tell = Callable[[float, Callable[[], dict[str, Value]], str], bool]


class Trained(NamedTuple):
    """What was learned, by name; how the solver got there; accuracies on what was held out, None if nothing was."""

    found: dict[str, Value]
    solution: Solution
    scores: list[float] | None


def train(model: Movable, names: Sequence[str], how: Learn, solver: str, labels: Labels, tell: Tell) -> Trained:
    """Train parameters of a model through a softmax head on its features."""
    random_state = check_random_state(how.random_state)
    held_out: np.ndarray | None = None
    indices = labels.counted()
    if how.early_stopping:
        indices, held_out = _split_off(labels, how.validation_fraction, random_state)
    parameters = BoundedParameters(model, names)
    objective = SoftmaxObjective(model, parameters, labels, l2=how.l2, signals_at_once=how.batch_size)
    start = objective.begin(indices)
    best = (-np.inf, -np.inf), start
    scores: list[float] = []
    n_without = 0

    def watch(x: np.ndarray, loss: float) -> bool:
        nonlocal best, n_without
        more = ""
        if held_out is not None:
            accuracy, held_out_loss = objective.score(x, held_out)
            scores.append(accuracy)
            n_without = 0 if accuracy > best[0][0] else n_without + 1
            if (accuracy, -held_out_loss) > best[0]:
                best = (accuracy, -held_out_loss), x.copy()
            more = f", accuracy on what was held out {accuracy:.3f}"
        return tell(loss, lambda: objective.found(x), more) or n_without >= how.n_iter_no_change

    if solver == "lbfgs":
        solution = minimize_lbfgs(
            lambda u: objective.projected(u, indices),
            start,
            (parameters.low, parameters.high),
            max_iter=how.max_iter,
            tol=how.tol,
            watch=lambda u, loss: watch(objective.with_head(u, indices), loss),
        )
    else:
        free = np.full(objective.n_head, np.inf)
        solution = minimize_adam(
            lambda x, some: objective.joint(x, indices[some]),
            np.append(start, np.zeros(objective.n_head)),
            (np.append(parameters.low, -free), np.append(parameters.high, free)),
            n_samples=len(indices),
            batch_size=how.batch_size,
            learning_rate=how.learning_rate,
            max_iter=how.max_iter,
            tol=how.tol,
            n_iter_no_change=how.n_iter_no_change,
            random_state=random_state,
            watch=watch,
        )
    x = solution.x if held_out is None else best[1]
    return Trained(objective.found(x), solution, None if held_out is None else scores)


def _split_off(
    labels: Labels, validation_fraction: float, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """Indices of clips to train on and of those held out: as many of each class, if labels are a clip each."""
    from sklearn.model_selection import train_test_split  # when first needed: it loads much

    counted = labels.counted()
    n_signals = len(counted)
    n_held_out = int(np.ceil(validation_fraction * n_signals))
    of_clips = None if labels.of_frames else np.concatenate(labels.codes)[counted]
    needed = 1 if of_clips is None else len(labels.classes)
    if n_held_out < needed or n_signals - n_held_out < needed:
        raise ValueError(
            f"validation_fraction={validation_fraction} holds out {n_held_out} of {n_signals} signals, and "
            f"both parts need at least {needed}, one a class; change it, pass more signals, or set "
            "early_stopping=False."
        )
    if of_clips is not None and np.bincount(of_clips).min() < 2:
        rare = labels.classes.tolist()[np.bincount(of_clips).argmin()]
        raise ValueError(
            f"y has one clip of class {rare!r}, and early_stopping=True needs 2 to hold one out; pass more, or set "
            "early_stopping=False."
        )
    parts = train_test_split(counted, test_size=n_held_out, random_state=random_state, stratify=of_clips)
    return np.sort(parts[0]), np.sort(parts[1])
