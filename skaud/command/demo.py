"""`skaud demo`: a model against log-mel features and MFCC, on recordings."""

import argparse
from pathlib import Path
from typing import Any

from skaud.command.errors import ALL_FINE, UsageError

MODELS = ("carfac", "osses2021", "biomimetic")


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "demo",
        help="compare a model with log-mel features and MFCC",
        description="Classify recordings by a model's features, log-mel features and MFCC, clean and in pink noise, "
        "with speakers kept apart; print the accuracies, write them to accuracy.csv and a cochleagram to "
        "cochleagram.png.",
    )
    parser.add_argument("--model", default="carfac", help=f"one of: {', '.join(MODELS)} (default: %(default)s)")
    parser.add_argument(
        "--data",
        metavar="FOLDER",
        help="recordings: a folder with manifest.csv (path, label, speaker), or with a sub-folder a class; "
        "default: synthetic vowels",
    )
    parser.add_argument("--out", metavar="FOLDER", default="skaud-demo", help="where files go (default: %(default)s)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    if options.model not in MODELS:
        raise UsageError(f"--model {options.model} must be one of: {', '.join(MODELS)}.")
    from skaud.command import comparison
    from skaud.command.contenders import CONTENDERS

    folder = Path(options.out)
    try:
        clips = comparison.load(options.data)
        folds, how = comparison.splits(clips.target, clips.groups)
        folder.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        raise UsageError(error) from error
    comparison.run(CONTENDERS[options.model], clips, folds, how, folder)
    return ALL_FINE
