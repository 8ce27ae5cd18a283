"""Cross-entropy of a softmax head on a model's features, and its derivative through the model."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special
from sklearn.exceptions import DataConversionWarning

from skaud._types import Features, Targets
from skaud._warnings import warn_caller
from skaud.fitting.movable import Movable, Pullback, Value
from skaud.fitting.parameters import BoundedParameters

SMALLEST_SCALE = 1e-9  # of a feature, over that of the largest


class Labels:
    """Labels of clips, or of their frames, as numbers of classes, and how much each clip counts.

    codes : (n_signals,) arrays, of one number, or of one a frame; one number stands for all frames of a clip
    weights : (n_signals,) of the clips; those of weight 0 are as good as left out, with a class that no other has
    """

    def __init__(self, y: Targets, n_signals: int, *, a_frame: bool, weights: np.ndarray | None = None) -> None:
        self.weights = np.ones(n_signals) if weights is None else weights
        if y is None:
            raise ValueError(
                "learn requires y to be passed, but the target y is None; pass "
                + ("a label a clip, or an array of a label a frame for each." if a_frame else "a label a clip.")
            )
        from sklearn.utils.multiclass import check_classification_targets  # when first needed: it loads much

        is_list = isinstance(y, (list, tuple))
        y = list(y if is_list else np.asarray(y))
        if y and all(np.shape(label) == (1,) for label in y) and not (is_list and a_frame):
            warn_caller(
                f"y is a column, {(len(y), 1)}, where a 1-D array was expected; pass np.ravel(y).",
                DataConversionWarning,
            )
            y = [label[0] for label in y]
        if len(y) != n_signals:
            raise ValueError(f"y has {len(y)} entries for {n_signals} signals in X; pass one for each.")
        self.of_frames = any(np.ndim(label) > 0 for label in y)
        if self.of_frames and not a_frame:
            raise ValueError(
                "y has several labels a clip, and pooling leaves one row of features a clip; set pooling=None for "
                "labels of frames."
            )
        labels = [np.atleast_1d(np.asarray(label)) for label in y]
        if any(label.ndim != 1 for label in labels):
            raise ValueError(f"y has labels of shape {max((a.shape for a in labels), key=len)}; they have one axis.")
        together = np.concatenate(labels)
        check_classification_targets(together)
        counted = np.repeat(self.weights > 0, [len(label) for label in labels])
        self.classes = np.unique(together[counted])
        codes = np.minimum(np.searchsorted(self.classes, together), len(self.classes) - 1)
        if len(self.classes) < 2:
            raise ValueError(f"y has one class, {self.classes.tolist()[0]!r}; learning needs clips of at least 2.")
        ends = np.cumsum([len(label) for label in labels])
        self.codes = np.split(codes, ends[:-1])

    def counted(self) -> np.ndarray:
        """Indices of the clips that count."""
        return np.flatnonzero(self.weights > 0)

    def of_rows(self, i: int, n_rows: int) -> np.ndarray:
        """Codes of the rows of features that clip i has."""
        codes = self.codes[i]
        if not self.of_frames:
            return np.repeat(codes, n_rows)
        if len(codes) != n_rows:
            raise ValueError(f"y[{i}] has {len(codes)} labels, and X[{i}] has {n_rows} frames; pass one a frame.")
        return codes


def check_weights(sample_weight: ArrayLike, n_signals: int) -> np.ndarray:
    """Weights of the clips, (n_signals,); None stands for 1, and so does any number."""
    try:
        weights = np.asarray(1.0 if sample_weight is None else sample_weight, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight={sample_weight!r} must be numbers, one a signal ({error}).") from error
    if weights.shape not in ((), (n_signals,)):
        raise ValueError(
            f"sample_weight has shape {weights.shape} for {n_signals} signals in X; pass one weight for each, on one "
            "axis."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            f"sample_weight={sample_weight!r} must be finite numbers of at least 0; give 0 to what is not to count."
        )
    if not weights.any():
        raise ValueError("sample_weight is zero for every signal; give at least one that is to count a weight above 0.")
    return np.broadcast_to(weights, (n_signals,)).copy()


class SoftmaxObjective:
    """Weighted mean cross-entropy of the rows of features of some clips, plus l2 / 2 times the head's squared weights.

    The weights of some clips add up to what as many of all would: a batch of heavy ones counts more than one of light.

    A head is a vector: weights (n_features, n_classes) times the root of n_features, so that a step moves the logits no
    further where there are more features, and biases. Features are standardised as those of the model before it learns.
    """

    def __init__(
        self,
        model: Movable,
        parameters: BoundedParameters,
        labels: Labels,
        *,
        l2: float,
        signals_at_once: int,
    ) -> None:
        self.model, self.parameters, self.labels = model, parameters, labels
        self.l2, self.signals_at_once = l2, signals_at_once
        self.n_classes = len(labels.classes)
        self._solved: tuple[np.ndarray, np.ndarray] | None = None

    def begin(self, indices: np.ndarray) -> np.ndarray:
        """Standardise features by those of some clips; the parameters' vector to start from."""
        from sklearn.preprocessing import StandardScaler

        u = self.parameters.start()
        self._design(u)
        scaler, n_rows, total = StandardScaler(), 0, 0.0
        for part in self._parts(indices):
            value, _ = self._vjp(part, ())
            rows = [self._rows(v) for v in value]
            weights = self._row_weights(part, rows)
            scaler.partial_fit(np.concatenate(rows).astype(float), sample_weight=weights)
            n_rows, total = n_rows + len(weights), total + weights.sum()
        self.mean_weight = total / n_rows
        # What is all but silent is not blown up.
        scale = np.maximum(scaler.scale_, SMALLEST_SCALE * scaler.scale_.max())
        self.mean, self.scale = scaler.mean_, scale * np.sqrt(len(scale))
        self.n_head = (len(self.mean) + 1) * self.n_classes
        return u

    def joint(self, x: np.ndarray, indices: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss of some clips, and its derivative, at a vector of parameters and a head."""
        u, head = np.split(x, [self.parameters.size])
        self._design(u)
        runs = ((part, *self._vjp(part, self.parameters.names)) for part in self._parts(indices))
        return self._back(u, head, runs)

    def projected(self, u: np.ndarray, indices: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss of some clips with the head that makes it least, and its derivative with respect to the parameters.

        Where the derivative with respect to the head is 0, the head's own change with the parameters counts for
        nothing.
        """
        self._design(u)
        parts = list(self._parts(indices))
        run = self._vjp(parts[0], self.parameters.names) if len(parts) == 1 else None
        rows: list[np.ndarray] = []
        codes = []
        for part in parts:
            value = run[0] if run else self._vjp(part, ())[0]
            for v, i in zip(value, part):
                rows.append(self._standardised(v))
                codes.append(self.labels.of_rows(i, len(rows[-1])))
        weights = self._row_weights([i for part in parts for i in part], rows)
        before = np.zeros(self.n_head) if self._solved is None else self._solved[1]
        head = self._best_head(np.concatenate(rows), np.concatenate(codes), weights, before)
        del rows
        self._solved = u.copy(), head
        runs = ((part, *(run or self._vjp(part, self.parameters.names))) for part in parts)
        loss, gradient = self._back(u, head, runs)
        return loss, gradient[: self.parameters.size]

    def with_head(self, u: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Parameters, and the head that goes with them."""
        if self._solved is None or not np.allclose(self._solved[0], u, rtol=0, atol=1e-12):
            self.projected(u, indices)
        assert self._solved is not None
        return np.concatenate(self._solved)

    def _best_head(self, z: np.ndarray, codes: np.ndarray, weights: np.ndarray, start: np.ndarray) -> np.ndarray:
        total = weights.sum()

        def objective(head: np.ndarray) -> tuple[float, np.ndarray]:
            loss, head_bar, _ = self._head_loss(z, codes, weights, head)
            penalty, penalty_bar = self._penalty(head)
            return loss / total + penalty, head_bar / total + penalty_bar

        options = {"maxiter": 500, "ftol": 1e-12, "gtol": 1e-7, "maxcor": 20}
        return optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options).x

    def _back(self, u: np.ndarray, head: np.ndarray, runs: Iterable[tuple]) -> tuple[float, np.ndarray]:
        """Loss and its derivative; runs : clips, their features and the pullback."""
        loss, total = 0.0, 0.0
        totals: dict[str, Value] = dict.fromkeys(self.parameters.names, 0.0)
        head_bar = np.zeros(self.n_head)
        for part, value, pullback in runs:
            rows = [self._standardised(v) for v in value]
            codes = np.concatenate([self.labels.of_rows(i, len(r)) for i, r in zip(part, rows)])
            weights = self._row_weights(part, rows)
            part_loss, part_head_bar, z_bar = self._head_loss(np.concatenate(rows), codes, weights, head)
            loss, head_bar = loss + part_loss, head_bar + part_head_bar
            total += self.mean_weight * len(weights)
            # z = (rows - mean) / scale
            rows_bars = np.split(z_bar / self.scale, np.cumsum([len(r) for r in rows])[:-1])
            grads = pullback([_from_rows(bar, v) for bar, v in zip(rows_bars, value)])
            totals = {name: totals[name] + grads[name] for name in totals}
        penalty, penalty_bar = self._penalty(head)
        u_bar = self.parameters.pull_back(u, totals) / total
        return loss / total + penalty, np.append(u_bar, head_bar / total + penalty_bar)

    def _head_loss(
        self, z: np.ndarray, codes: np.ndarray, row_weights: np.ndarray, head: np.ndarray
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Cross-entropy, a weighted sum over rows, and its derivatives for the head and for z."""
        weights, biases = self._weights(head)
        log_p = special.log_softmax(z @ weights + biases, axis=1)
        at = np.arange(len(codes)), codes
        # loss = -sum(row_weights * log_p[at])
        logits_bar = np.exp(log_p)
        logits_bar[at] -= 1
        logits_bar *= row_weights[:, np.newaxis]
        # logits = z @ weights + biases
        head_bar = np.append((z.T @ logits_bar).ravel(), logits_bar.sum(axis=0))
        return -float(row_weights @ log_p[at]), head_bar, logits_bar @ weights.T

    def _penalty(self, head: np.ndarray) -> tuple[float, np.ndarray]:
        l2, weights = self.l2 / len(self.mean), head.copy()
        weights[-self.n_classes :] = 0
        return l2 / 2 * float(weights @ weights), l2 * weights

    def score(self, x: np.ndarray, indices: np.ndarray) -> tuple[float, float]:
        """Accuracy, and cross-entropy, weighted means over some clips, at a vector of parameters and a head."""
        u, head = np.split(x, [self.parameters.size])
        self._design(u)
        weights, biases = self._weights(head)
        right, loss, total = 0.0, 0.0, 0.0
        for part in self._parts(indices):
            value, _ = self._vjp(part, ())
            for v, i in zip(value, part):
                log_p = special.log_softmax(self._standardised(v) @ weights + biases, axis=1)
                codes = self.labels.of_rows(i, len(log_p))
                weight = self.labels.weights[i]
                right += weight * int((log_p.argmax(axis=1) == codes).sum())
                loss -= weight * float(log_p[np.arange(len(codes)), codes].sum())
                total += weight * len(codes)
        return right / total, loss / total

    def found(self, x: np.ndarray) -> dict[str, Value]:
        """Values of the model's parameters."""
        return self.parameters.unpack(x[: self.parameters.size])

    def _weights(self, head: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return head[: -self.n_classes].reshape(-1, self.n_classes), head[-self.n_classes :]

    def _design(self, u: np.ndarray) -> None:
        self.model.move(self.parameters.unpack(u))

    def _parts(self, indices: Sequence[int] | np.ndarray) -> Iterator[list[int]]:
        """Indices of clips whose gradient is computed at a time: what bounds the memory."""
        for begin in range(0, len(indices), self.signals_at_once):
            yield [int(i) for i in indices[begin : begin + self.signals_at_once]]

    def _vjp(self, part: list[int], names: tuple[str, ...]) -> tuple[Features, Pullback]:
        return self.model.vjp(names, some=part)

    def _rows(self, value: np.ndarray) -> np.ndarray:
        """Features (n_rows, n_features) of a clip: pooled ones are a row, frames a row each."""
        if np.iscomplexobj(value):
            raise ValueError("the features are complex, and a softmax head takes real ones; set response='real'.")
        return value[np.newaxis] if value.ndim == 1 else value.reshape(-1, value.shape[-1]).T

    def _row_weights(self, part: Sequence[int], rows: Sequence[np.ndarray]) -> np.ndarray:
        """Weight of every row of features of these clips."""
        return np.repeat(self.labels.weights[list(part)], [len(row) for row in rows])

    def _standardised(self, value: np.ndarray) -> np.ndarray:
        return (self._rows(value) - self.mean) / self.scale


def _from_rows(rows_bar: np.ndarray, value: np.ndarray) -> np.ndarray:
    return rows_bar[0] if value.ndim == 1 else rows_bar.T.reshape(value.shape)
