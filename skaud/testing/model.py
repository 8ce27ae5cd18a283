"""All checks of a model at once."""

from collections.abc import Sequence

from skaud._types import Estimator
from skaud.testing.checks import CHECKS, NotApplicable


def check_model(estimator: Estimator, *, skip: Sequence[str] = ()) -> dict[str, str]:
    """Check that a model keeps what the models of this package promise.

    That padding, order, threads, chunks and the clips beside a clip change nothing; that lists, columns and arrays of
    every layout agree, with ears and without; that float32 follows float64; that the adjoint is that of the response;
    that features have names; that pickles and clones give the same. What a model has no parameter or method for is not
    checked, and named in what is returned. scikit-learn's own ``check_estimator`` is a test apart.

    Parameters
    ----------
    estimator : estimator
        Unfitted model, or a stage that takes sound, of this package or of one's own: it has `fit` and `transform`,
        which take lists of clips, `get_params` and `set_params`. It is left as it is.
    skip : sequence of str, default=()
        Checks to leave out, by the names that are returned.

    Returns
    -------
    dict of str to str
        By name of every check, "passed", or why it was not made.

    Raises
    ------
    AssertionError
        If one fails; the message has all that do, with numbers.
    ValueError
        If skip has a name that is none of a check.

    Examples
    --------
    >>> from skaud import CARFAC
    >>> from skaud.testing import check_model
    >>> found = check_model(CARFAC(8000, erb_per_step=2.0), skip=["forms_of_X_agree"])
    >>> found["chunks_equal_the_whole"]
    'passed'

    A model of one's own, the level of a clip in dB, which takes no form of X but lists and which, since no module
    defines it, cannot be pickled:

    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> class Level(TransformerMixin, BaseEstimator):
    ...     def fit(self, X, y=None):
    ...         return self
    ...
    ...     def transform(self, X):
    ...         clips = X["sound"] if hasattr(X, "columns") and "sound" in X else np.asarray(X, object)
    ...         return np.array([[10 * np.log10(np.mean(np.square(np.asarray(clip, float))))] for clip in clips])
    >>> found = check_model(Level(), skip=["forms_of_X_agree", "clones_and_pickles_give_the_same"])
    >>> found["order_changes_nothing"], found["n_jobs_changes_nothing"]
    ('passed', 'Level has no n_jobs')
    """
    checks = {check.__name__.removeprefix("check_"): check for check in CHECKS}
    unknown = [name for name in skip if name not in checks]
    if unknown:
        raise ValueError(f"skip has {unknown[0]!r}, which is no check; they are {tuple(checks)}.")
    found, failed = {}, []
    for name, check in checks.items():
        if name in skip:
            found[name] = "left out"
            continue
        try:
            check(estimator)
            found[name] = "passed"
        except NotApplicable as reason:
            found[name] = str(reason)
        except AssertionError as error:
            failed.append(f"{name}: {error}")
        except Exception as error:  # whatever a model says to sounds that it should take
            failed.append(f"{name}: {type(error).__name__}: {error}")
    if failed:
        raise AssertionError(
            f"{type(estimator).__name__} fails {len(failed)} of {len(checks)} checks:\n" + "\n".join(failed)
        )
    return found
