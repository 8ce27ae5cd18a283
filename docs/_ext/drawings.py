"""Pictures that code draws: block diagrams of the models, and the chart of speeds."""

import csv

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

WIDE, HIGH, GAP = 1.75, 0.9, 0.45
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


def _box(ax, x, label, name, depends_on_level):
    colour = COLOURS["level"] if depends_on_level else COLOURS["box"]
    ax.add_patch(FancyBboxPatch((x, 0), WIDE, HIGH, boxstyle="round,pad=0.04", fc=colour, ec=COLOURS["edge"], lw=1.2))
    ax.text(x + WIDE / 2, HIGH / 2, label, ha="center", va="center", fontsize=10, color="#102030")
    ax.text(x + WIDE / 2, -0.12, name, ha="center", va="top", fontsize=7.5, color="#405060", family="monospace")


def diagram(name):
    """Figure of a model's blocks, from left to right; what depends on level is in another colour."""
    (row,) = DIAGRAMS[name]
    width = len(row) * (WIDE + GAP)
    figure, ax = plt.subplots(figsize=(width * 0.72, 2.3 if name in FEEDBACK else 1.35))
    for i, box in enumerate(row):
        x = i * (WIDE + GAP)
        _box(ax, x, *box)
        if i:
            ends = (x - GAP + 0.05, HIGH / 2), (x - 0.05, HIGH / 2)
            ax.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=12, color=COLOURS["edge"]))
    if name in FEEDBACK:
        text, start, end = FEEDBACK[name]
        right, left = (start * (WIDE + GAP) + WIDE / 2, end * (WIDE + GAP) + WIDE / 2)
        ax.plot([right, right, left], [HIGH + 0.05, 1.75, 1.75], color=COLOURS["back"], lw=1.4)
        arrow = FancyArrowPatch((left, 1.75), (left, HIGH + 0.03), arrowstyle="-|>", mutation_scale=12)
        arrow.set_color(COLOURS["back"])
        ax.add_patch(arrow)
        ax.text((left + right) / 2, 1.82, text, ha="center", va="bottom", fontsize=9, color=COLOURS["back"])
    ax.set(xlim=(-0.15, width - GAP + 0.15), ylim=(-0.62, 2.15 if name in FEEDBACK else 1.1))
    ax.set_axis_off()
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


def write(folder):
    folder.mkdir(exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "skaud", "svg.fonttype": "path"}):
        figures = {name: diagram(name) for name in DIAGRAMS} | {"speeds": speeds(folder.parent / "speeds.csv")}
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.svg", facecolor="white", metadata={"Date": None})
            plt.close(figure)
