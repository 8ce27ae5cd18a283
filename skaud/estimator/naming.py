"""Names of channels that differ by a number."""

from collections.abc import Callable, Iterable


def told_apart(write: Callable[[int], list[str]], digits: Iterable[int]) -> list[str]:
    """Names as write gives them, with as many digits as no two are the same with; with the most, where some always are.

    A table whose columns share a name, or a feature chosen by it, would be of another channel.
    """
    names: list[str] = []
    for n in digits:
        names = write(n)
        if len(set(names)) == len(names):
            break
    return names
