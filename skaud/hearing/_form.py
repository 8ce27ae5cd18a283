"""The form of the clinic on which audiograms are plotted."""

from typing import Any

import numpy as np

# Colour, marker and label: ASHA 1990, "Guidelines for audiometric symbols"; without an ear none of its symbols
_SYMBOLS = {
    "right": ("#c8102e", "o", "right ear"),
    "left": ("#0033a0", "x", "left ear"),
    None: ("black", ".", "ear not stated"),
}


def plot(audiogram: Any, ax: Any) -> Any:
    """Plot an audiogram on `ax`, or on new axes where it is None, and return the axes."""
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.figure(figsize=(5.5, 5.5), layout="constrained").add_subplot()
    _draw_form(ax, audiogram)
    colour, marker, label = _SYMBOLS[audiogram.ear]
    frequency, threshold = audiogram.frequencies_hz, audiogram.thresholds_db_hl
    known = np.flatnonzero(audiogram.measured)
    for gap in np.stack([known[:-1], known[1:]], axis=1)[np.diff(known) > 1]:
        ax.plot(frequency[gap], threshold[gap], ":", color=colour, linewidth=1.3)
    ax.plot(
        frequency,
        threshold,  # NaN breaks the line
        color=colour,
        marker=marker,
        markersize=9,
        markerfacecolor=ax.get_facecolor() if marker == "o" else colour,
        markeredgewidth=1.8,
        linewidth=1.3,
        label=label,
        zorder=2.5 if marker == "o" else 3,  # where the ears are equal, the cross is seen within the circle
    )
    ax.legend(loc="lower left", framealpha=1)
    return ax


def _draw_form(ax: Any, audiogram: Any) -> None:
    """Axes as ASHA 1990 and ISO 8253-1 have them, wide enough for this audiogram and what is there already."""
    drawn = ax.yaxis_inverted()
    level = audiogram.thresholds_db_hl[audiogram.measured]
    top_db, bottom_db = min(-10, 10 * np.floor(level.min() / 10)), max(120, 10 * np.ceil(level.max() / 10))
    low_hz, high_hz = min(125, audiogram.frequencies_hz[0]), max(8000, audiogram.frequencies_hz[-1])
    left_hz, right_hz = low_hz / 1.25, high_hz * 1.25
    if drawn:
        top_db, bottom_db = min(top_db, *ax.get_ylim()), max(bottom_db, *ax.get_ylim())
        left_hz, right_hz = min(left_hz, *ax.get_xlim()), max(right_hz, *ax.get_xlim())
    ax.set_xscale("log", base=2)
    ax.set_ylim(bottom_db, top_db)
    ax.set_box_aspect((bottom_db - top_db) / 20 / np.log2(right_hz / left_hz))  # 20 dB as high as an octave is wide
    octave_hz = [125, 250, 500, 1000, 2000, 4000, 8000, 16000]
    between_hz = [750, 1500, 3000, 6000, 12000]
    ax.set_xticks(octave_hz, [str(hz) for hz in octave_hz])
    ax.set_xticks(between_hz, [str(hz) for hz in between_hz], minor=True, fontsize="x-small", color="0.4")
    ax.set_xlim(left_hz, right_hz)
    ax.set_yticks(np.arange(top_db, bottom_db + 1, 10))
    ax.tick_params("x", which="both", top=True, bottom=False, labeltop=True, labelbottom=False)
    ax.tick_params("x", which="major", length=14, pad=1)  # a row above the labels between the octaves
    ax.tick_params("x", which="minor", length=3, pad=1)
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("Frequency (Hz)")
    ax.set_ylabel("Hearing level (dB HL)")
    ax.set_axisbelow(True)
    ax.grid(True, color="0.8", linewidth=0.8)
    ax.grid(True, which="minor", axis="x", color="0.85", linewidth=0.8, linestyle="--")
