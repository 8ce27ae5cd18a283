"""What a process that computes features needs: loaded once, before the processes that share it are begun."""

import gc

from skaud.command.lazily import imported_lazily, uncollected

with imported_lazily(), uncollected():
    import skaud.command.computing
    import skaud.recipes  # noqa: F401

gc.freeze()  # a search for garbage would write to memory that is shared
