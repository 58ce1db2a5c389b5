"""The ledger adds up to the wall time, over kills and rollbacks."""

import json
import time

import pytest

from vasa_jax.training import goodput


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def advance(seconds):
        now[0] += seconds

    return advance


def test_every_second_is_on_one_account(clock):
    ledger = goodput.Ledger()
    clock(3)
    ledger.switch("other")
    with ledger.on("step"):
        clock(5)
        with ledger.on("data_wait"):
            clock(2)
        clock(1)
    clock(0.5)
    totals = ledger.totals()
    assert totals == dict.fromkeys(goodput.ACCOUNTS, 0.0) | {"init": 3, "step": 6, "data_wait": 2, "other": 0.5}
    assert sum(totals.values()) == ledger.wall
    ledger.lose(2, 6)
    assert ledger.seconds["step"] == 4 and ledger.seconds["lost"] == 2 and sum(ledger.totals().values()) == 11.5


def test_a_start_after_a_kill_books_what_was_lost(tmp_path, clock):
    ledger = goodput.Ledger()
    first = goodput.History(tmp_path, 0)
    with ledger.on("step"):
        clock(10)
    first.save(ledger, 20)
    later = goodput.Ledger()
    second = goodput.History(tmp_path, 15)  # the checkpoint of step 15: 5 of 20 steps were for nothing
    with later.on("step"):
        clock(5)
    second.save(later, 25)
    found = json.loads((tmp_path / goodput.NAME).read_text())
    assert found["seconds"]["step"] == 12.5 and found["seconds"]["lost"] == 2.5
    assert found["wall"] == sum(found["seconds"].values()) == 15 and found["goodput"] == pytest.approx(12.5 / 15)
    assert [(row["from_step"], row["to_step"]) for row in found["starts"]] == [(0, 15), (15, 25)]


def test_step_times_leave_pauses_out(clock):
    times = goodput.StepTimes()
    assert times.summary() == {} and times.median is None
    for seconds in (1, 1, 1, 3):
        clock(seconds)
        times.ended()
    times.paused()
    clock(100)
    times.ended()
    assert times.median == 1 and times.summary() == {"step_ms_p50": 1000, "step_ms_p95": pytest.approx(2800)}
