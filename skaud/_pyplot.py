"""Import of matplotlib, which need not be installed."""

from skaud._types import Plot


def pyplot(display: str) -> Plot:
    """Module matplotlib.pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{display} needs matplotlib; install it with: pip install 'skaud[plot]'") from error
    return plt
