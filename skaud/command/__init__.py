"""The command skaud: each subcommand is a module of its name."""

from skaud.command.program import main

__all__ = ["main"]
