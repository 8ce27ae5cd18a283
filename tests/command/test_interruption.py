"""Signals that ask a command to end."""

import contextlib
import signal

import pytest

from skaud.command.interruption import Interrupted, postponed, raise_if_asked, signals_interrupt


def test_a_signal_that_a_callback_has_swallowed_is_not_lost():
    with signals_interrupt():
        raise_if_asked()
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Interrupted) as raised:
            raise_if_asked()
    assert raised.value.number == signal.SIGTERM
    with signals_interrupt():  # another run
        raise_if_asked()


def test_a_signal_waits_for_the_end_of_what_must_not_be_torn():
    done = []

    def begin():
        with postponed():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")

    with signals_interrupt(), pytest.raises(Interrupted):
        begin()
    assert done == ["whole"]
    with pytest.raises(KeyboardInterrupt):  # of a process that has no handler of ours
        begin()
