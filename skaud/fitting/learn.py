"""Learn: which parameters of a model `fit` learns from labels, and how."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from skaud._types import Seed
from skaud.design.limits import plain_number


class Learn(BaseEstimator):
    """What `fit` of a model learns from labels, and how: the object that its parameter `learn` takes.

    A model that is given names alone learns with the defaults below. Grid searches reach the settings, such as
    ``carfac__learn__max_iter``.

    Parameters
    ----------
    names : str, sequence of str, or None, default=None
        Parameters of the model to learn, as it takes them in `learn`; None for none, where the settings are meant for
        the fit to an audiogram alone.
    solver : {"lbfgs", "adam"} or None, default=None
        L-BFGS-B over all clips, or Adam over random batches of them. None is "adam" for `AuditorySpectrogram` and
        `BiomimeticFrontend`, whose parameters are many, and "lbfgs" for the other models.
    max_iter : int, default=200
        Most iterations, with Adam passes over all clips.
    tol : float, default=1e-5
        Learning ends where an iteration lowers the loss by less than ``tol * max(1, loss)``, or no entry of the
        gradient exceeds tol; with Adam, after `n_iter_no_change` iterations that do not lower the loss by tol.
    l2 : float, default=1e-4
        Penalty on the squared weights of the softmax head.
    batch_size : int, default=32
        Clips of a batch of Adam; L-BFGS, too, differentiates no more at a time, which bounds the memory.
    learning_rate : float, default=0.01
        Step of Adam, as a part of the range between a parameter's bounds.
    early_stopping : bool, default=False
        Hold out clips, stop after `n_iter_no_change` iterations whose accuracy on them is no better, and keep what was
        learned when it was best.
    validation_fraction : float, default=0.1
        Part of the clips to hold out.
    n_iter_no_change : int, default=10
        Iterations without progress to stop after.
    random_state : int, RandomState or None, default=None
        Seed of the batches and of what is held out.
    verbose : int, default=0
        Print the loss of every iteration.

    Notes
    -----
    `max_iter`, `tol` and `verbose` are also those of the fit of `CARFAC` to an audiogram, which needs no names.

    Examples
    --------
    >>> from skaud import CARFAC, Learn, datasets
    >>> X = datasets.make_tone([500, 1000, 2000, 4000], duration_s=0.05, sample_rate=16000)
    >>> model = CARFAC(16000, learn=Learn("velocity_scale", max_iter=3, tol=0.1))
    >>> model.set_params(learn__max_iter=2).fit(X, ["low", "low", "high", "high"]).n_iter_ <= 2
    True
    """

    _parameter_constraints: dict = {
        "names": [str, "array-like", None],
        "solver": [StrOptions({"lbfgs", "adam"}), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "l2": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        names: str | Sequence[str] | None = None,
        *,
        solver: str | None = None,
        max_iter: int = 200,
        tol: float = 1e-5,
        l2: float = 1e-4,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: Seed = None,
        verbose: int = 0,
    ) -> None:
        self.names = names
        self.solver = solver
        self.max_iter = max_iter
        self.tol = tol
        self.l2 = l2
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state
        self.verbose = verbose


def as_learn(learn: str | Sequence[str] | Learn | None) -> Learn:
    """What `learn` asks for, with the defaults where it names parameters alone; its numbers are Python's."""
    given = learn.get_params() if isinstance(learn, Learn) else {"names": learn}
    return Learn(**{name: plain_number(value) for name, value in given.items()})
