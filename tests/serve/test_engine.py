"""The engine: the frames of a session alone, fair, bounded, never waiting for anybody."""

import threading

import numpy as np
import pytest

from tests.inference.stand_ins import live_face
from vasa_jax.errors import UsageError
from vasa_jax.inference import live
from vasa_jax.provenance.marking import Marks
from vasa_jax.serve.engine import MOST_HEARD, MOST_SHOWN, Busy, Engine


class Client:
    """Takes all that is made; `until(kind)` waits for it."""

    def __init__(self, engine, look, seed=0, lookahead=160, takes=True):
        self.made, self._news, self._takes = [], threading.Condition(), takes
        self.seat = engine.open(look, live.controls_of(seed, {}), lookahead, self._deliver)

    def _deliver(self, made):
        with self._news:
            self.made.append(made)
            self._news.notify_all()
        if self._takes:
            self.seat.taken(made.count)

    def until(self, kind, seconds=60):
        with self._news:
            assert self._news.wait_for(lambda: any(m.kind == kind for m in self.made), seconds), kind

    @property
    def count(self):
        return sum(made.count for made in list(self.made))

    def frames(self):
        """As a session returns them."""
        marks = Marks(badge=False)
        return np.stack([marks(frame) for made in self.made for frame in made.frames()])


def _audio(frames, seed=0):
    return (0.2 * np.random.default_rng(seed).standard_normal(round(frames * 640))).astype(np.float32)


def test_a_session_among_others_is_the_session_alone(engine, look) -> None:
    clients = [Client(engine, look, seed, lookahead) for seed, lookahead in enumerate((160, 80, 320, 160))]
    for client in clients:
        for part in np.split(_audio(12), 3):
            assert client.seat.push(part)
        client.seat.flush()
    for seed, client in enumerate(clients):
        client.until("flushed")
        alone = live_face().stream(look, seed=seed, lookahead_ms=1000 * client.seat.session.span // 25)
        np.testing.assert_array_equal(client.frames(), np.stack(alone.push(_audio(12)) + alone.flush()))
        audio = np.concatenate([made.audio for made in client.made])
        np.testing.assert_array_equal(audio, _audio(12))  # each frame with its own 40 ms
        assert {"queue", "motion", "decode"} == client.made[0].times.keys()
        client.seat.close()
    assert engine.taken == 0


def test_busy_is_told_and_a_seat_that_is_given_back_is_free(engine, look) -> None:
    clients = [Client(engine, look) for _ in range(4)]
    with pytest.raises(Busy) as told:
        Client(engine, look)
    assert 1 <= told.value.retry_after <= 30
    clients[0].seat.close()
    clients[0].seat.close()
    Client(engine, look).seat.close()
    with pytest.raises(UsageError, match="one of 80, 160, 320"):
        Client(engine, look, lookahead=120)


def test_nobody_is_let_in_before_it_is_warm(look) -> None:
    gate = threading.Event()
    made = Engine(live_face(), warm=lambda: gate.wait(60) and look)
    assert not made.alive(0.0)
    made.start()
    with pytest.raises(Busy):
        Client(made, look)
    gate.set()
    assert made.until_ready(60) and made.alive(60)
    made.stop()
    assert not made.alive(0.0)


def test_who_takes_nothing_is_left_out_and_nobody_else_waits(engine, look) -> None:
    slow, quick = Client(engine, look, takes=False), Client(engine, look)
    for client in (slow, quick):
        for seed in range(3):
            assert client.seat.push(_audio(33, seed))
        client.seat.flush()
    quick.until("flushed")
    assert quick.count == 99
    assert MOST_SHOWN <= slow.count < MOST_SHOWN + slow.seat.session.hop + 1
    pushed = [slow.seat.push(_audio(25, k)) for k in range(6)]
    assert pushed[0] and not pushed[-1], "its own queue is bounded"
    slow.seat.taken(slow.count)
    slow.until("flushed")


def test_a_queue_is_bounded_and_interrupting_empties_it(engine, look) -> None:
    client = Client(engine, look, takes=False)
    many = 0
    while client.seat.push(_audio(25)):
        many += 25 * 640
        assert many < MOST_HEARD + (MOST_SHOWN + 50) * 640
    before = client.count
    client.seat.interrupt()
    client.until("interrupted")
    assert client.made[-1].count == 5 and not client.made[-1].audio.any()
    assert client.count <= before + 5 + client.seat.session.hop
    assert client.seat.push(_audio(25)), "there is room again"


def test_whoever_waited_longest_is_served_first(engine, look) -> None:
    """Of two with much to say neither gets two windows more than the other, while both have something left."""
    order = []
    clients = [Client(engine, look, seed) for seed in range(2)]
    for k, client in enumerate(clients):

        def noted(made, k=k, plain=client.seat.deliver):
            order.extend([k] * (made.kind == "frames"))
            plain(made)

        client.seat.deliver = noted
    with engine.turn:
        for client in clients:
            client.seat.push(_audio(40))
            client.seat.flush()
    for client in clients:
        client.until("flushed")
    lead = np.cumsum([1 if k else -1 for k in order])
    assert len(order) == 40 and np.abs(lead).max() <= 2


def test_a_fault_is_told_to_those_in_the_call_and_to_nobody_else(engine, look, monkeypatch) -> None:
    broken, well = Client(engine, look), Client(engine, look, lookahead=320)
    speak = engine.machine.speak

    def fail(told, *rest):
        if told[0].seed == 7:
            raise RuntimeError("device")
        return speak(told, *rest)

    broken.seat.close()
    broken = Client(engine, look, seed=7)
    monkeypatch.setattr(engine.machine, "speak", fail)
    for client in (broken, well):
        client.seat.push(_audio(12))
        client.seat.flush()
    broken.until("failed")
    well.until("flushed")
    assert broken.made[-1].error == "RuntimeError" and engine.ready and engine.taken == 1
