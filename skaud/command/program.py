"""Words after `skaud` to a subcommand, and how that ended to an exit status."""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence

import skaud
from skaud.command.compiling import compilation_said
from skaud.command.errors import FAILED, SIGNALLED, USAGE_ERROR, UsageError
from skaud.command.interruption import Interrupted, signals_interrupt
from skaud.command.terminal import drop_stream, open_closed_streams, say

SUBCOMMANDS = ("demo", "features", "warm-up", "completion")  # a module each; its add_parser(subcommands) sets `run`


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, default=None
        Words after ``skaud``; None takes those of the process.

    Returns
    -------
    int
        Exit status: 0; 1 if files could not be read or written; 2 for a wrong call; 128 and the number of the signal
        that ended it, such as 130 after Ctrl-C.
    """
    open_closed_streams()
    options = make_parser().parse_args(arguments)
    name = f"skaud {options.command}"
    try:
        with signals_interrupt(), compilation_said(quiet=getattr(options, "quiet", False)):
            return options.run(options)
    except UsageError as error:
        say(f"{name}: {error}")
        return USAGE_ERROR
    except Interrupted as error:
        say(f"{name}: interrupted{error.remedy and '; ' + error.remedy}.")
        return SIGNALLED + error.number
    except KeyboardInterrupt:
        say(f"{name}: interrupted.")
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:  # whoever read what it prints has gone
        drop_stream(sys.stdout)
        return SIGNALLED + getattr(signal, "SIGPIPE", 13)
    except OSError as error:  # such as a full disk
        say(f"{name}: {error}")
        return FAILED


def make_parser() -> argparse.ArgumentParser:
    """Parser of the whole command."""
    parser = argparse.ArgumentParser(prog="skaud", description="Auditory models for machine learning.")
    parser.add_argument("--version", action="version", version=f"skaud {skaud.__version__}")
    subcommands = parser.add_subparsers(dest="command", required=True, metavar=f"{{{','.join(SUBCOMMANDS)}}}")
    for name in SUBCOMMANDS:
        importlib.import_module(f"skaud.command.{name.replace('-', '_')}").add_parser(subcommands)
    return parser
