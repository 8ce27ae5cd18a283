"""Cross-entropy of a softmax head on a model's features, and its derivative through the model."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from scipy.special import log_softmax
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets

from skaud._sounds import Sounds
from skaud.fitting.parameters import BoundedParameters


class Labels:
    """Labels of clips, or of their frames, as numbers of classes.

    codes : (n_signals,) arrays, of one number, or of one a frame; one number stands for all frames of a clip
    """

    def __init__(self, y: Any, n_signals: int, *, a_frame: bool) -> None:
        if y is None:
            raise ValueError(
                "y is None, and learn needs labels; pass y, "
                + ("a label a clip or an array of labels a frame for each." if a_frame else "a label a clip.")
            )
        y = list(y)
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
        self.classes, codes = np.unique(together, return_inverse=True)
        if len(self.classes) < 2:
            raise ValueError(f"y has one class, {self.classes[0]!r}; learning needs clips of at least 2.")
        ends = np.cumsum([len(label) for label in labels])
        self.codes = np.split(codes.ravel(), ends[:-1])

    def of_rows(self, i: int, n_rows: int) -> np.ndarray:
        """Codes of the rows of features that clip i has."""
        codes = self.codes[i]
        if not self.of_frames:
            return np.repeat(codes, n_rows)
        if len(codes) != n_rows:
            raise ValueError(f"y[{i}] has {len(codes)} labels, and X[{i}] has {n_rows} frames; pass one a frame.")
        return codes


class SoftmaxObjective:
    """Mean cross-entropy of the rows of features of some clips, plus l2 / 2 times the squared weights of the head.

    Its vector x holds the model's parameters, the weights (n_features, n_classes), and the biases. Features are
    standardised as those of the model before it learns.
    """

    def __init__(
        self,
        model: Any,
        parameters: BoundedParameters,
        sounds: Sounds,
        labels: Labels,
        *,
        l2: float,
        signals_at_once: int,
    ) -> None:
        self.model, self.parameters, self.sounds, self.labels = model, parameters, sounds, labels
        self.l2, self.signals_at_once = l2, signals_at_once
        self.fixed = dict(model._found_)
        self.n_classes = len(labels.classes)

    def begin(self, indices: np.ndarray) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
        """Standardise features by those of some clips; the vector to start from, and its bounds."""
        u = self.parameters.start()
        self._design(u)
        scaler = StandardScaler()
        for part in self._parts(indices):
            value, _ = self._vjp(part, ())
            scaler.partial_fit(np.concatenate([self._rows(v, i) for v, i in zip(value, part)]).astype(float))
        self.mean, self.scale = scaler.mean_, scaler.scale_
        n_head = (len(self.mean) + 1) * self.n_classes
        free = np.full(n_head, np.inf)
        bounds = (np.append(self.parameters.low, -free), np.append(self.parameters.high, free))
        return np.append(u, np.zeros(n_head)), bounds

    def __call__(self, x: np.ndarray, indices: np.ndarray) -> tuple[float, np.ndarray]:
        """Loss of some clips, and its derivative."""
        u, weights, biases = self._split(x)
        self._design(u)
        names = self.parameters.names
        loss, n_rows = 0.0, 0
        weights_bar, biases_bar = np.zeros(weights.shape), np.zeros(biases.shape)
        totals = {name: np.zeros(self.model._differentiated(name).shape) for name in names}
        for part in self._parts(indices):
            value, pullback = self._vjp(part, names)
            rows = [self._rows(v, i) for v, i in zip(value, part)]
            codes = np.concatenate([self.labels.of_rows(i, len(r)) for i, r in zip(part, rows)])
            z = (np.concatenate(rows) - self.mean) / self.scale
            log_p = log_softmax(z @ weights + biases, axis=1)
            at = np.arange(len(codes)), codes
            # loss = -sum(log_p[at]), of which the mean is taken at the end
            loss -= log_p[at].sum()
            n_rows += len(codes)
            logits_bar = np.exp(log_p)
            logits_bar[at] -= 1
            # logits = z @ weights + biases
            weights_bar += z.T @ logits_bar
            biases_bar += logits_bar.sum(axis=0)
            # z = (rows - mean) / scale
            rows_bar = logits_bar @ weights.T / self.scale
            ends = np.cumsum([len(r) for r in rows])[:-1]
            bars = [self._from_rows(b, v) for b, v in zip(np.split(rows_bar, ends), value)]
            for name, bar in pullback(bars).items():
                totals[name] += bar
        loss = loss / n_rows + self.l2 / 2 * float((weights**2).sum())
        u_bar = self.parameters.pull_back(u, totals) / n_rows
        head_bar = np.append((weights_bar / n_rows + self.l2 * weights).ravel(), biases_bar / n_rows)
        return loss, np.append(u_bar, head_bar)

    def steps(self) -> np.ndarray:
        """How far each entry of the vector moves, relative to the others: all weights together as one parameter."""
        n_features = len(self.mean)
        weights = np.full(n_features * self.n_classes, 1 / np.sqrt(n_features))
        return np.concatenate([np.ones(self.parameters.size), weights, np.ones(self.n_classes)])

    def score(self, x: np.ndarray, indices: np.ndarray) -> tuple[float, float]:
        """Accuracy, and mean cross-entropy, of some clips."""
        u, weights, biases = self._split(x)
        self._design(u)
        right, loss, n_rows = 0, 0.0, 0
        for part in self._parts(indices):
            value, _ = self._vjp(part, ())
            for v, i in zip(value, part):
                rows = self._rows(v, i)
                codes = self.labels.of_rows(i, len(rows))
                log_p = log_softmax((rows - self.mean) / self.scale @ weights + biases, axis=1)
                right += int((log_p.argmax(axis=1) == codes).sum())
                loss -= float(log_p[np.arange(len(codes)), codes].sum())
                n_rows += len(codes)
        return right / n_rows, loss / n_rows

    def found(self, x: np.ndarray) -> dict[str, Any]:
        """Values of the model's parameters."""
        return self.parameters.unpack(x[: self.parameters.size])

    def _split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        u, weights, biases = np.split(x, [self.parameters.size, len(x) - self.n_classes])
        return u, weights.reshape(-1, self.n_classes), biases

    def _design(self, u: np.ndarray) -> None:
        self.model._found_ = self.fixed | self.parameters.unpack(u)
        self.model._design_runs()

    def _parts(self, indices: Sequence[int] | np.ndarray) -> Iterator[list[int]]:
        """Indices of clips whose gradient is computed at a time: what bounds the memory."""
        for begin in range(0, len(indices), self.signals_at_once):
            yield [int(i) for i in indices[begin : begin + self.signals_at_once]]

    def _vjp(self, part: list[int], names: tuple[str, ...]) -> tuple[Any, Any]:
        some = self.sounds._replace(clips=[self.sounds.clips[i] for i in part], is_array=False)
        return self.model._vjp_of_sounds(some, names)

    def _rows(self, value: np.ndarray, i: int) -> np.ndarray:
        """Features (n_rows, n_features) of clip i: pooled ones are a row, frames a row each."""
        if np.iscomplexobj(value):
            raise ValueError("the features are complex, and a softmax head takes real ones; set response='real'.")
        return value[np.newaxis] if value.ndim == 1 else value.reshape(-1, value.shape[-1]).T

    def _from_rows(self, rows_bar: np.ndarray, value: np.ndarray) -> np.ndarray:
        return rows_bar[0] if value.ndim == 1 else rows_bar.T.reshape(value.shape)
