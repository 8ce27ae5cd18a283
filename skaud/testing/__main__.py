"""`python -m skaud.testing`: how near everything is to what is claimed of it, and what a GPU computes."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from skaud.testing import gpu
from skaud.testing.conformance import KINDS, conformance
from skaud.testing.conformance.report import as_page, as_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a claim fails."""
    parser = argparse.ArgumentParser(prog="python -m skaud.testing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    own = commands.add_parser("conformance", help="golden and published numbers, fits, adjoints, invariances")
    own.add_argument("--references", metavar="FOLDER", help="golden numbers of the published programs")
    own.add_argument("--html", metavar="FILE", help="write a page, too")
    own.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="what to measure")
    on_gpu = commands.add_parser("gpu", help="every kernel of the GPU beside the CPU, and times of batches")
    on_gpu.add_argument("--json", metavar="FILE", help="write all that was found, too")
    given = parser.parse_args(arguments)
    if given.command == "gpu":
        return _measure_gpu(given.json)
    try:
        rows = conformance(given.references, kinds=given.kinds)
    except ValueError as error:
        parser.error(str(error))
    print(as_text(rows))
    if given.html:
        Path(given.html).write_text(as_page(rows), encoding="utf-8")
    return int(any(row.verdict == "fails" for row in rows))


def _measure_gpu(file: str | None) -> int:
    """1 where a claim fails, 2 where there is no GPU to hold them against."""
    try:
        about = gpu.device.describe()
    except Exception as error:  # whatever a library says that finds no driver
        print(
            f"No GPU can be used: {type(error).__name__}: {error}\nIt takes a driver (nvidia-smi names it) and "
            "pip install 'skaud[gpu-cu13]' or 'skaud[gpu-cu12]'.",
            file=sys.stderr,
        )
        return 2
    found = gpu.measure_gpu(about)
    if file:
        Path(file).write_text(json.dumps(found, indent=1), encoding="utf-8")
    return int(not found["passed"])


if __name__ == "__main__":
    sys.exit(main())
