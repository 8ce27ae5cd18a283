"""`python -m skaud.testing conformance`: how near everything is to what is claimed of it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from skaud.testing.conformance import KINDS, conformance
from skaud.testing.conformance.report import as_page, as_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 where a claim fails."""
    parser = argparse.ArgumentParser(prog="python -m skaud.testing", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    own = commands.add_parser("conformance", help="golden and published numbers, adjoints, invariances")
    own.add_argument("--references", metavar="FOLDER", help="golden numbers of the published programs")
    own.add_argument("--html", metavar="FILE", help="write a page, too")
    own.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS), help="what to measure")
    given = parser.parse_args(arguments)
    try:
        rows = conformance(given.references, kinds=given.kinds)
    except ValueError as error:
        parser.error(str(error))
    print(as_text(rows))
    if given.html:
        Path(given.html).write_text(as_page(rows), encoding="utf-8")
    return int(any(row.verdict == "fails" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
