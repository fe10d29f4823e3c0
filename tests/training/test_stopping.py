from __future__ import annotations

import signal

import pytest

from training.stopping import asked_to_stop


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_asks_once_and_the_next_one_acts_as_it_did_before(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with asked_to_stop() as asked:
        assert not asked()
        signal.raise_signal(number)
        assert asked()
        assert signal.getsignal(number) is before
    assert signal.getsignal(number) is before


def test_signals_act_as_before_where_nobody_asked() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with asked_to_stop():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
