"""The form of the clinic, on which audiograms are drawn."""

from collections.abc import Sequence

import numpy as np

from skaud._pyplot import pyplot
from skaud._types import Plot
from skaud.hearing.audiogram import Audiogram

OCTAVES_HZ = (125, 250, 500, 1000, 2000, 4000, 8000, 16000)
BETWEEN_HZ = (750, 1500, 3000, 6000, 12000)

# Colour, marker and label: ASHA 1990, "Guidelines for audiometric symbols"
_EARS = {"right": ("#c8102e", "o", "right ear"), "left": ("#0033a0", "x", "left ear")}


def ear_style(ear: str | None, number: int = 0, n_ears: int = 1) -> tuple[str, str, str]:
    """Colour, marker and label of an ear; where it is not stated, none of the clinic's symbols."""
    if ear is not None:
        return _EARS[ear]
    return ("black", "0.55")[number % 2], ".", "ear not stated" if n_ears == 1 else f"ear {number}"


def new_axes(display: str) -> Plot:
    """Axes of a figure as high as it is wide."""
    return pyplot(display).figure(figsize=(5.5, 5.5), layout="constrained").add_subplot()


def draw(
    ax: Plot, measured: Sequence[Audiogram | None], predicted: Sequence[Audiogram | None] = ()
) -> tuple[list[Plot], list[Plot], list[Plot]]:
    """Draw audiograms, and what is predicted of them, an ear each; their lines, those of the predictions, arrows."""
    drawn = [(one, k, len(ears)) for ears in (measured, predicted) for k, one in enumerate(ears) if one is not None]
    for audiogram, *_ in drawn:
        _draw_form(ax, audiogram)
    lines = [_draw(ax, one, k, len(measured)) for k, one in enumerate(measured) if one is not None]
    predictions = [_draw_predicted(ax, one, k, len(predicted)) for k, one in enumerate(predicted) if one is not None]
    arrows = [arrow for own in drawn for arrow in _draw_arrows(ax, *own)]
    ax.legend(loc="lower left", framealpha=1)
    return lines, predictions, arrows


def _draw(ax: Plot, audiogram: Audiogram, number: int, n_ears: int) -> Plot:
    colour, marker, label = ear_style(audiogram.ear, number, n_ears)
    frequency, threshold, unheard = audiogram.frequencies_hz, audiogram.thresholds_db_hl, audiogram.no_response
    known = np.flatnonzero(audiogram.measured)
    for gap in np.stack([known[:-1], known[1:]], axis=1)[np.diff(known) > 1]:
        if not unheard[gap].any():
            ax.plot(frequency[gap], threshold[gap], ":", color=colour, linewidth=1.3)
    style: dict[str, object] = {
        "color": colour,
        "marker": marker,
        "markersize": 9,
        "markerfacecolor": ax.get_facecolor() if marker == "o" else colour,
        "markeredgewidth": 1.8,
        "zorder": 2.5 if marker == "o" else 3,  # where the ears are equal, the cross is seen within the circle
    }
    if unheard.any():
        ax.plot(frequency[unheard], threshold[unheard], linestyle="none", **style)
    (line,) = ax.plot(
        frequency,
        np.where(unheard, np.nan, threshold),  # NaN breaks the line
        linewidth=1.3,
        label=label,
        **style,
    )
    return line


def _draw_predicted(ax: Plot, audiogram: Audiogram, number: int, n_ears: int) -> Plot:
    colour, _, label = ear_style(audiogram.ear, number, n_ears)
    known, threshold = audiogram.measured, audiogram.thresholds_db_hl
    style: dict[str, object] = {"marker": ".", "color": colour, "alpha": 0.75, "zorder": 3.5}
    unheard = audiogram.no_response
    if unheard.any():
        ax.plot(audiogram.frequencies_hz[unheard], threshold[unheard], linestyle="none", **style)
    (line,) = ax.plot(
        audiogram.frequencies_hz[known],
        np.where(unheard, np.nan, threshold)[known],
        linestyle="--",
        linewidth=1.3,
        label=f"{label}, model" if audiogram.ear or n_ears > 1 else "model",
        **style,
    )
    return line


def _draw_arrows(ax: Plot, audiogram: Audiogram, number: int, n_ears: int) -> list[Plot]:
    """Arrows from the lower outer corner of the symbols: to the left for the right ear, as the clinic faces it."""
    colour = ear_style(audiogram.ear, number, n_ears)[0]
    outwards = {"right": -14, "left": 14, None: 0}[audiogram.ear]
    arrow = {"arrowstyle": "<|-", "color": colour, "shrinkA": 0, "shrinkB": 5, "linewidth": 1.3}
    unheard = audiogram.no_response
    return [
        # from the text's place, where the head is, to the symbol
        ax.annotate("", point, xytext=(outwards, -14), textcoords="offset points", arrowprops=arrow)
        for point in zip(audiogram.frequencies_hz[unheard], audiogram.thresholds_db_hl[unheard])
    ]


def _draw_form(ax: Plot, audiogram: Audiogram) -> None:
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
    ax.set_xticks(OCTAVES_HZ, [str(hz) for hz in OCTAVES_HZ])
    ax.set_xticks(BETWEEN_HZ, [str(hz) for hz in BETWEEN_HZ], minor=True, fontsize="x-small", color="0.4")
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
