"""Pictures that code draws: block diagrams of the models, and the chart of speeds."""

import csv
import re
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

WIDE, HIGH, GAP = 0.9, 0.62, 0.16  # in inches: seven boxes fill a column of text, in letters of its size
COLOURS = {"box": "#e8f0f7", "level": "#fbe9d7", "edge": "#20405c", "back": "#a03020"}

# Name -> rows of boxes: what it does, the class or parameters it goes by (X comes in), whether it depends on level.
DIAGRAMS = {
    "carfac": [
        [
            ("sound", "X", False),
            ("CAR\ncascade of\nresonators", "min_zeta, max_zeta\nzero_ratio", False),
            ("OHC\nnonlinearity", "velocity_scale\nohc_health", True),
            ("20 Hz\nhigh-pass", "ac_corner_hz", False),
            ("IHC\nhair cell", "ihc_style\ntau1_in, tau2_in", True),
            ("synapse\n(optional)", "n_fibers", True),
            ("NAP", "output", False),
        ]
    ],
    "auditory_images": [
        [
            ("NAP at\nfull rate", "X", False),
            ("windows,\nstrongest\nsample", "trigger_window_s", True),
            ("blending\nby strength", "min_lag_s\nmax_lag_s", True),
            ("images", "frame_length", False),
            ("mean over\nchannels", "Pitchogram", False),
            ("log lag", "lags_per_octave\nlog_offset_s", False),
        ]
    ],
    "osses2021": [
        [
            ("sound", "X", False),
            ("headphone,\nouter ear", "HeadphoneFilter", False),
            ("middle ear", "MiddleEarFilter", False),
            ("gammatone\nfilterbank", "GammatoneFilterbank", False),
            ("hair cell", "HairCellEnvelope", False),
            ("adaptation\nloops", "AdaptationLoops", True),
            ("modulation\nfilterbank", "ModulationFilterbank", False),
        ]
    ],
    "king2019": [
        [
            ("sound", "X", False),
            ("gammatone\nfilterbank", "GammatoneFilterbank", False),
            ("compression", "Compression", True),
            ("hair cell", "HairCellEnvelope", False),
            ("adaptation", "AdaptationHighPass", False),
            ("modulation\nfilterbank", "ModulationBandpass", False),
        ]
    ],
    "biomimetic": [
        [
            ("sound", "X", False),
            ("cochlear\nfilterbank", "CochlearFilterbank", False),
            ("power law", "PowerLawCompression", True),
            ("lateral\ninhibition", "LateralInhibition", False),
            ("leaky\nintegration", "LeakyIntegrator", False),
            ("STRFs", "CorticalSTRF", False),
        ]
    ],
}
FEEDBACK = {"carfac": ("AGC: four smoothing stages, coupled across channels and ears", 5, 1)}  # text, from box, to box


def _broken(name):
    """A name in two lines where it is long, broken at the capital nearest to its middle."""
    capitals = [match.start() for match in re.finditer(r"(?<=[a-z])[A-Z]", name)]
    if len(name) < 15 or not capitals:
        return name
    at = min(capitals, key=lambda place: (abs(place - len(name) / 2), -place))
    return f"{name[:at]}\n{name[at:]}"


def _lines(names):
    """Names below a box, one a line."""
    return "\n".join(map(_broken, re.split(r", |\n", names)))


def _box(ax, x, label, names, depends_on_level):
    colour = COLOURS["level"] if depends_on_level else COLOURS["box"]
    ax.add_patch(FancyBboxPatch((x, 0), WIDE, HIGH, boxstyle="round,pad=0.02", fc=colour, ec=COLOURS["edge"], lw=1))
    ax.text(x + WIDE / 2, HIGH / 2, label, ha="center", va="center", fontsize=9, color="#102030", linespacing=1.1)
    ax.text(
        x + WIDE / 2, -0.07, _lines(names), ha="center", va="top", fontsize=7.5, color="#405060", family="monospace"
    )


def diagram(name):
    """Figure of a model's blocks, from left to right; what depends on level is in another colour."""
    (row,) = DIAGRAMS[name]
    left, right = -0.1, len(row) * (WIDE + GAP) - GAP + 0.1
    low = -0.16 - 0.13 * max(_lines(names).count("\n") + 1 for _, names, _ in row)
    high = 1.15 if name in FEEDBACK else HIGH + 0.08
    figure = plt.figure(figsize=(right - left, high - low))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(left, right), ylim=(low, high))
    ax.set_axis_off()
    for i, box in enumerate(row):
        x = i * (WIDE + GAP)
        _box(ax, x, *box)
        if i:
            ends = (x - GAP, HIGH / 2), (x, HIGH / 2)
            ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=8, color=COLOURS["edge"]))
    if name in FEEDBACK:
        text, start, end = FEEDBACK[name]
        begin, to = (start * (WIDE + GAP) + WIDE / 2, end * (WIDE + GAP) + WIDE / 2)
        ax.plot([begin, begin, to], [HIGH + 0.02, HIGH + 0.28, HIGH + 0.28], color=COLOURS["back"], lw=1.2)
        arrow = FancyArrowPatch((to, HIGH + 0.28), (to, HIGH), arrowstyle="-|>", mutation_scale=8)
        arrow.set_color(COLOURS["back"])
        ax.add_patch(arrow)
        ax.text((begin + to) / 2, HIGH + 0.32, text, ha="center", va="bottom", fontsize=9, color=COLOURS["back"])
    return figure


def speeds(table):
    """Figure of milliseconds of the processor for a second of sound: a group of bars a job, of those side by side."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["measured"] == "side by side"]
    jobs = list(dict.fromkeys(row["job"] for row in rows))
    figure, ax = plt.subplots(figsize=(8.5, 0.18 * len(rows) + 0.14 * len(jobs) + 0.7), layout="constrained")
    y, ticks = 0.0, []
    for job in jobs:
        own = [row for row in rows if row["job"] == job]
        ticks.append((y + (len(own) - 1) / 2, job))
        for row in own:
            ms = float(row["CPU ms"].split(" to ")[-1])
            ax.barh(y, ms, left=0, height=0.85, color="#1f77b4" if row["program"].startswith("skaud") else "#b8c4ce")
            ax.text(ms * 1.1, y, f"{row['program']}  {row['CPU ms']}", va="center", fontsize=8)
            y += 1
        y += 0.9
    ax.set(xscale="log", xlim=(0.3, 2e6), xlabel="ms of one core for a second of sound", yticks=[at for at, _ in ticks])
    ax.set_yticklabels([job for _, job in ticks], fontsize=8)
    ax.set_ylim(y - 1, -0.8)  # the first job on top
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def program():
    """Figure that stands in the gallery for a script that draws nothing here."""
    figure = plt.figure(figsize=(4, 2.8))
    figure.text(0.5, 0.62, ">_", ha="center", va="center", fontsize=60, family="monospace", color=COLOURS["edge"])
    figure.text(0.5, 0.24, "a program to run\non recordings of your own", ha="center", va="center", fontsize=15)
    return figure


def cochleagram():
    """Figure of the front page, and of the README: a vowel through CARFAC."""
    from skaud import CARFAC, datasets
    from skaud.display import CochleagramDisplay

    vowels = datasets.make_vowels(n_speakers=1, n_takes=1, duration_s=(0.25, 0.25), random_state=0, db_spl=55)
    vowel = vowels.clips[list(vowels.target).index("ae")]
    model = CARFAC(frame_length=0.001).fit([vowel])
    figure, ax = plt.subplots(figsize=(5.2, 3.6), layout="constrained")
    CochleagramDisplay.from_estimator(model, vowel, ax=ax, cmap="magma", vmin=0)
    ax.set_title("/æ/ of a man at 55 dB SPL, in CARFAC")
    return figure


def write(folder):
    folder.mkdir(exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "skaud", "svg.fonttype": "path"}):
        figures = {name: diagram(name) for name in DIAGRAMS} | {"speeds": speeds(folder.parent / "speeds.csv")}
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", facecolor="white", metadata={"Date": None})
            plt.close(figure)
        figure = program()
        figure.savefig(folder / "program.png", facecolor="white", dpi=100)
        plt.close(figure)


if __name__ == "__main__":
    cochleagram().savefig(Path(__file__).parents[1] / "images" / "cochleagram.png", dpi=160)
