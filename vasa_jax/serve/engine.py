"""Several live sessions on one device: in turn, in calls of one shape, warmed before anybody is let in.

    engine = Engine(face, sessions=4)
    engine.start()                      # compiles and makes real frames; engine.ready afterwards
    seat = engine.open(look, controls, 160, deliver)
    seat.push(samples)                  # False: its queue is full, wait
    seat.close()

One thread owns the device and every session. Whoever has waited longest for a window gets one, so no session is served
twice while another waits. What is made is handed to `deliver` and never waited for: a session whose frames nobody takes
is left out until they are taken, then its own queue fills up, and the others do not notice.
"""

import collections
import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.errors import UsageError
from vasa_jax.inference import live
from vasa_jax.inference.closing import FRAMES as CLOSING
from vasa_jax.inference.controls import Controls
from vasa_jax.inference.course import Told
from vasa_jax.inference.look import Look
from vasa_jax.inference.machine import Frame, Machine
from vasa_jax.inference.running import FRAME, RATE

MOST_HEARD = 4 * RATE
"""Samples that may wait in a seat."""
MOST_SHOWN = 50
"""Frames that a seat's client may owe before it is left out."""
LOOKAHEADS = (80, 160, 320)
STUCK = 30.0
"""Seconds of one step after which the engine no longer counts as alive."""


class Busy(Exception):
    """All seats are taken.

    Attributes:
      retry_after: seconds after which one may be free.
    """

    def __init__(self, retry_after: int):
        super().__init__(f"all sessions are taken; try again in {retry_after} s")
        self.retry_after = retry_after


@dataclasses.dataclass
class Made:
    """What one step made for one seat; `kind` is frames, flushed, interrupted or failed.

    Attributes:
      audio: the samples as they were pushed, 640 a frame.
      times: milliseconds in `queue`, `motion` and `decode`.
    """

    kind: str
    count: int = 0
    audio: Float[np.ndarray, "n"] = dataclasses.field(default_factory=lambda: np.zeros(0, np.float32))
    times: dict[str, float] = dataclasses.field(default_factory=dict)
    error: str = ""
    finish: Callable[[], list[Frame]] = list

    def frames(self) -> list[Frame]:
        """The images; composed here, by whoever asks, not on the engine's thread. Not marked yet
        (`provenance.marking`): whoever sends them has to."""
        return self.finish()


class Seat:
    """One session of an engine. Any thread may call it; what it asks is done in order, but for `interrupt`, at once."""

    def __init__(self, engine: "Engine", session: live.LiveSession, deliver: Callable[[Made], None]):
        self._engine, self.session, self.deliver = engine, session, deliver
        self.asked: collections.deque[tuple[str, Any, float]] = collections.deque()
        self.later: collections.deque[tuple[str, Any, float]] = collections.deque()  # of the engine's thread alone
        self.heard, self.owed = 0, 0  # samples that wait in either; frames delivered and not taken
        self.audio = np.zeros(0, np.float32)  # as pushed, of frames not shown
        self.since: float | None = None  # when the last sample came that the next window needs
        self.flushing = False
        self.opened = time.monotonic()

    def push(self, samples: live.Samples) -> bool:
        """Takes in audio; False, and nothing is taken, if too much is waiting already.

        Raises:
          InputError: it is no audio.
        """
        audio = live.as_audio(samples)
        with self._engine.turn:
            if self.heard + len(audio) + self.session.waiting * FRAME > MOST_HEARD and self.heard:
                return False
            self.heard += len(audio)
            self._ask("push", audio)
        return True

    def flush(self) -> None:
        """What was pushed is all for now; `flushed` is delivered after its last frame."""
        with self._engine.turn:
            self._ask("flush", None)

    def interrupt(self) -> None:
        """Forgets all that waits; frames that close the mouth and `interrupted` come next."""
        with self._engine.turn:
            self.asked.clear()
            self.heard = 0
            self._ask("interrupt", None)

    def update(self, **changes: Any) -> None:
        """Controls from the next window on.

        Raises:
          UsageError: what cannot change, or a value that is none.
        """
        self.session.update(**changes)

    def taken(self, count: int) -> None:
        """The client has taken so many frames."""
        with self._engine.turn:
            self.owed -= count
            self._engine.turn.notify_all()

    def close(self) -> None:
        """Gives the seat back; nothing is delivered any more. May be called again."""
        self._engine.leave(self)

    def _ask(self, kind: str, value: Any) -> None:
        self.asked.append((kind, value, time.monotonic()))
        self._engine.turn.notify_all()


class Engine:
    """See above.

    Args:
      face: with a motion model.
      sessions: seats.
      rows: sessions of one call; None: all of them on an accelerator, one on a processor, which gains nothing by more.
      warm: gives a portrait that is moved before anybody is let in, and to see whether the engine is alive.
      most_seconds: that sessions last, to tell when a seat will be free.
    """

    def __init__(
        self,
        face: Any,
        *,
        sessions: int = 4,
        rows: int | None = None,
        warm: Callable[[], Look] | None = None,
        most_seconds: float = 3600.0,
    ):
        import jax

        rows = rows or (1 if jax.default_backend() == "cpu" else sessions)
        self.face, self.sessions, self._most_seconds = face, sessions, most_seconds
        self.machine: Machine = face.machine(rows)
        self.turn = threading.Condition()  # its lock may be taken twice by one thread
        self.ready, self._warmed = False, threading.Event()
        self.steps = 0
        self._give, self._stopped, self._failed = warm, False, 0
        self._warm: Look | None = None
        self._seats: list[Seat] = []
        self._began: float | None = None  # of the step under way
        self._probes: list[threading.Event] = []
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)

    def start(self) -> None:
        """Starts the thread, which warms up first."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it; seats are given back."""
        with self.turn:
            self._stopped, self.ready = True, False
            self.turn.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=STUCK)

    def until_ready(self, patience: float) -> bool:
        """Waits until it is warm; False if that takes longer."""
        return self._warmed.wait(patience) and self.ready

    @property
    def taken(self) -> int:
        """Seats that are taken."""
        return len(self._seats)

    @property
    def pressed(self) -> bool:
        """Whether a session waits for a window: work that can wait should."""
        return any(self._due(seat) for seat in list(self._seats))

    def open(self, look: Look, controls: Controls, lookahead_ms: int, deliver: Callable[[Made], None]) -> Seat:
        """A seat.

        Args:
          deliver: called on the engine's thread with every `Made`; must not wait.

        Raises:
          Busy: none is free, or it is not ready yet.
          UsageError: the look-ahead is not one of `LOOKAHEADS`.
        """
        self.check(lookahead_ms)
        seat = Seat(self, live.LiveSession(self.machine, look, controls, lookahead_ms), deliver)
        with self.turn:
            self.check(lookahead_ms)
            self._seats.append(seat)
        return seat

    def check(self, lookahead_ms: int) -> None:
        """Whether a seat of that look-ahead can be had, before anything is done for it; raises as `open` does."""
        if lookahead_ms not in LOOKAHEADS:
            raise UsageError(f"lookahead_ms {lookahead_ms}: one of {', '.join(map(str, LOOKAHEADS))}")
        with self.turn:
            if not self.ready:
                raise Busy(5)
            if len(self._seats) >= self.sessions:
                oldest = min(seat.opened for seat in self._seats)
                raise Busy(int(np.clip(oldest + self._most_seconds - time.monotonic(), 1, 30)))

    def leave(self, seat: Seat) -> None:
        """Takes a seat back."""
        with self.turn:
            seat.deliver, seat.asked = _nobody, collections.deque()
            if seat in self._seats:
                self._seats.remove(seat)
            self.turn.notify_all()

    def alive(self, patience: float = 5.0) -> bool:
        """Whether a real step is made within `patience` seconds; False before the first."""
        began, done = self._began, threading.Event()
        if not self.ready or (began is not None and time.monotonic() - began > STUCK):
            return False
        with self.turn:
            self._probes.append(done)
            self.turn.notify_all()
        return done.wait(patience)

    # ---- the engine's own thread ----------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            if self._give is not None:
                look = self._warm = self._give()
                for lookahead in LOOKAHEADS:
                    self._rehearse(look, lookahead)
            self.ready = not self._stopped
        except Exception:
            logging.exception("the engine could not make a frame")
            return
        finally:
            self._warmed.set()
        while True:
            with self.turn:
                while not (self._stopped or self._probes or any(map(self._wanted, self._seats))):
                    self.turn.wait()
                if self._stopped:
                    return
                probes, self._probes = self._probes, []
            for seat in list(self._seats):
                self._obey(seat)
            self._step(probes)

    def _rehearse(self, look: Look, lookahead: int) -> None:
        """Every program in its one shape, as often as there may be rows."""
        session = live.LiveSession(self.machine, look, live.controls_of(0, {}), lookahead)
        session.hear(np.zeros(RATE // 2, np.float32))
        session.end()
        self._make([session])

    def _step(self, probes: list[threading.Event]) -> None:
        due = sorted((s for s in list(self._seats) if self._due(s)), key=lambda s: s.since or 0.0)
        due = [seat for seat in due if seat.session.hop == due[0].session.hop][: self.machine.rows]
        self._began = time.monotonic()
        try:
            if due:
                self._answer(due)
            elif probes and self._warm is not None:
                self._rehearse(self._warm, LOOKAHEADS[1])
            self._failed = 0
            for probe in probes:
                probe.set()
        except Exception as error:  # the device's own, or a fault of ours: whoever was in the call is told
            logging.exception("a step failed")
            self._failed += 1
            self.ready = self.ready and self._failed < 3
            for seat in due:
                seat.deliver(Made("failed", error=type(error).__name__))
                self.leave(seat)
        finally:
            self._began = None

    def _wanted(self, seat: Seat) -> bool:
        return bool(seat.asked) or bool(seat.later and not seat.flushing) or self._due(seat)

    def _due(self, seat: Seat) -> bool:
        return seat.session.ready and seat.owed < MOST_SHOWN

    def _obey(self, seat: Seat) -> None:
        """Does what was asked, up to a flush whose frames are not all shown yet; an interruption goes ahead."""
        with self.turn:
            asked, seat.asked = seat.asked, collections.deque()
        for entry in asked:
            if entry[0] == "interrupt":
                seat.later.clear()
                seat.flushing = False
            seat.later.append(entry)
        while seat.later and not seat.flushing:
            kind, value, came = seat.later.popleft()
            if kind == "push":
                self._hear(seat, value, came)
            elif kind == "flush":
                seat.session.end()
                wanted = seat.session.waiting * FRAME
                seat.audio = np.pad(seat.audio[:wanted], (0, max(0, wanted - len(seat.audio))))
                seat.since, seat.flushing = seat.since or came, bool(wanted)
                if not wanted:
                    seat.deliver(Made("flushed"))
            else:
                self._interrupt(seat, came)

    def _hear(self, seat: Seat, audio: Float[np.ndarray, "n"], came: float) -> None:
        with self.turn:
            seat.heard = max(0, seat.heard - len(audio))
        waited = seat.session.ready and seat.since is not None
        seat.session.hear(audio)
        seat.audio = np.concatenate([seat.audio, audio])
        seat.since = seat.since if waited else came

    def _interrupt(self, seat: Seat, came: float) -> None:
        seat.audio, seat.flushing, seat.since = np.zeros(0, np.float32), False, None
        motion = seat.session.close()
        silence = np.zeros(FRAME * CLOSING, np.float32)
        hop, look, parts = seat.session.hop, seat.session.look, []
        for at in range(0, len(motion), hop):
            parts += self.machine.frames([look], [motion[at : at + hop]], hop)[0]
        finish = _finisher(self.machine, look, motion, parts)
        times = {"queue": 1e3 * (time.monotonic() - came)}
        seat.owed += CLOSING
        seat.deliver(Made("interrupted", CLOSING, silence, times, finish=finish))

    def _make(self, sessions: list[live.LiveSession]) -> tuple[list[Any], list[Any], float]:
        """Motion and parts of one window of each, and when the motion was there."""
        told, scales = [_asked(s) for s in sessions], [s.scales() for s in sessions]
        first = sessions[0].controls
        answers = self.machine.speak(told, scales, first.steps, first.sampler)
        moves = [session.take(*answer) for session, answer in zip(sessions, answers)]
        moved = time.monotonic()
        parts = self.machine.frames([s.look for s in sessions], moves, sessions[0].hop)
        return moves, parts, moved

    def _answer(self, due: list[Seat]) -> None:
        start = time.monotonic()
        moves, parts, moved = self._make([seat.session for seat in due])
        done = time.monotonic()
        self.steps += 1
        for seat, motion, part in zip(due, moves, parts):
            count = len(motion)
            audio, seat.audio = seat.audio[: count * FRAME], seat.audio[count * FRAME :]
            times = {"queue": start - (seat.since or start), "motion": moved - start, "decode": done - moved}
            seat.since = start if seat.session.ready else None
            finish = _finisher(self.machine, seat.session.look, motion, part)
            seat.owed += count
            seat.deliver(Made("frames", count, audio, {k: 1e3 * v for k, v in times.items()}, finish=finish))
            if seat.flushing and not seat.session.ready:
                seat.flushing = False
                seat.deliver(Made("flushed"))


def _asked(session: live.LiveSession) -> Told:
    told = session.ask()
    assert told is not None  # only those who are due are asked
    return told


def _finisher(machine: Machine, look: Look, motion: np.ndarray, parts: list[Any]) -> Callable[[], list[Frame]]:
    return lambda: machine.finish(look, motion, parts)


def _nobody(made: Made) -> None:
    """Nobody is there any more."""
