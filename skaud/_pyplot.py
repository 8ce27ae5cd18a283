"""Import of matplotlib, which need not be installed."""

from typing import Any


def pyplot(display: str) -> Any:
    """Module matplotlib.pyplot, or an error that says how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(f"{display} needs matplotlib; install it with: pip install 'skaud[plot]'") from error
    return plt
