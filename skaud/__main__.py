"""`python -m skaud`: the command."""

import sys

from skaud.command import main

if __name__ == "__main__":
    sys.exit(main())
