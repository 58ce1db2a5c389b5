"""A face that talks while it is spoken to: audio in chunks of any length, frames as soon as they can be known.

    session = face.stream("portrait.jpg", seed=3, lookahead_ms=160)
    for chunk in microphone:  # 16 kHz mono float32
        show(session.push(chunk))
    show(session.flush())

Windows of motion follow the frames of the audio, not the chunks it comes in: one is made as soon as its look-ahead has
been heard, `hop` frames of it are shown, and the next one begins where they end. So the frames are the same for any
chunking, and audio later than the look-ahead after a frame's time never changes it.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax import conditions
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import editing
from vasa_jax.inference.blinks import Blinker
from vasa_jax.inference.closing import closing
from vasa_jax.inference.controls import Controls
from vasa_jax.inference.course import Course, Told
from vasa_jax.inference.leading import LED, Leading, told_beside
from vasa_jax.inference.look import Look
from vasa_jax.inference.machine import Frame, Machine
from vasa_jax.inference.motion import asked
from vasa_jax.inference.running import FRAME, RATE, RunningHearing
from vasa_jax.provenance.marking import Marks

FPS = 25
LOOKAHEAD_MS, LOOKAHEADS = 160, (40, 320)
Samples = np.ndarray | Sequence[Any]
"""Sound as it comes from outside: `as_audio` looks at it and says what is wrong."""
STEPS = 4
"""Denoising steps of a window where none are asked for."""
GUIDED = ("audio", "gaze")
"""What always has a pass of its own, so that its strength can change without compiling."""


def changeable() -> tuple[str, ...]:
    """The controls that can change while the face talks."""
    return (*(one.name for one in conditions.told()), *(f"cfg_{one.name}" for one in conditions.CONDITIONS))


def controls_of(seed: int, given: dict[str, Any]) -> Controls:
    """The controls of a stream.

    Raises:
      UsageError: a name or a value that is none, or a track: nobody knows how long a stream will be.
    """
    known = {field.name for field in dataclasses.fields(Controls)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"{unknown[0]!r} is no control; there are {', '.join(sorted(known))}")
    controls = Controls(**{"steps": STEPS, **given, "seed": seed})
    if any(np.ndim(controls.vectors()[one.name]) > len(one.shape) for one in conditions.told()):
        raise UsageError("a stream takes constants, no tracks: set session.controls while it talks")
    return controls


def frames_of(lookahead_ms: int, hop: int | None = None) -> tuple[int, int]:
    """Frames of a window that are heard, and how many of them are shown: half of them if it is not said.

    Raises:
      UsageError: no such look-ahead, or a hop beyond it.
    """
    span, rest = divmod(lookahead_ms, 1000 // FPS)
    low, high = LOOKAHEADS
    if rest or not low <= lookahead_ms <= high:
        raise UsageError(f"lookahead_ms {lookahead_ms}: give {low} to {high} in steps of {1000 // FPS}")
    hop = max(1, span // 2) if hop is None else hop
    if hop > span:
        raise UsageError(f"hop {hop}: at most {span}, the frames of the look-ahead")
    return span, hop


class LiveSession:
    """One performance. `push`, `flush` and `interrupt` return frames uint8 [h, w, 3].

    An engine that serves several takes the same steps itself: `hear`, `ask`, `take`.

    Args:
      machine: the compiled programs.
      look: the portrait.
      controls: of `controls_of`.
      lookahead_ms: see `TalkingFace.stream`.

    Attributes:
      made: frames made so far.
      marks: what is on every frame that is returned: the invisible watermark, and the badge if `marks.badge` is set.
    """

    def __init__(self, machine: Machine, look: Look, controls: Controls, lookahead_ms: int = LOOKAHEAD_MS) -> None:
        self.machine, self.look, self.marks = machine, look, Marks(badge=False)
        self.span, self.hop = frames_of(lookahead_ms, controls.hop)
        config = machine.motion.config
        if self.span > config.window:
            raise UsageError(f"lookahead_ms {lookahead_ms}: the model's window is {1000 * config.window // FPS} ms")
        courses = machine.courses
        self._leading = Leading(courses, look.home, controls.seed) if courses else None
        self._ask_for(controls)
        blinker = Blinker(machine.lids, controls.seed, controls.blinks, look.code) if machine.lids else None
        start, scale = look.start, machine.motion.scale
        self._course = Course(config, scale, seed=controls.seed, start=start, blinker=blinker)
        self._before, self._window = config.context * FRAME, config.frames * FRAME
        self._hearing = RunningHearing()
        self._kept = np.zeros(self._before, np.float32)  # of the frames before the next window, and what follows
        self._partial = np.zeros(0, np.float32)
        self._samples = 0  # since the last flush
        self._left: int | None = None  # frames of what is flushed
        self._made = 0

    # ---- for users ------------------------------------------------------------------------------------

    def push(self, samples: Samples) -> list[Frame]:
        """The frames that can be known now.

        Args:
          samples: 16 kHz mono, floats of -1..1 (or int16), any length, also none; what is no number is silence.

        Raises:
          InputError: not that.
        """
        self.hear(samples)
        return self._run()

    def flush(self) -> list[Frame]:
        """The rest, as if silence followed: round(seconds * 25) frames in all since the start or the last flush.

        The session lives on; what is pushed next is spoken by the same head.
        """
        self.end()
        return self._run()

    def interrupt(self) -> list[Frame]:
        """Five frames in which the mouth closes; audio that was pushed and has not been shown is forgotten."""
        motion = self.close()
        return self._show(motion)

    @property
    def controls(self) -> Controls:
        """What is asked for; set it, or some fields of it by `update`, while the face talks."""
        return self._controls

    @controls.setter
    def controls(self, controls: Controls) -> None:
        fields = dataclasses.fields(Controls)
        changed = {f.name: new for f in fields if _differ(new := getattr(controls, f.name), self._value(f.name))}
        self.update(**changed)

    def update(self, **changes: Any) -> None:
        """Changes what is told (`vasa_jax.conditions`) or guidance from the next window on.

        Raises:
          UsageError: what cannot change under way, or a value that is none.
        """
        if fixed := sorted(changes.keys() - set(changeable())):
            raise UsageError(f"{fixed[0]} cannot change in a stream; {', '.join(changeable())} can")
        given = {f.name: self._value(f.name) for f in dataclasses.fields(Controls)} | changes
        self._ask_for(controls_of(given.pop("seed"), given))

    def _ask_for(self, controls: Controls) -> None:
        """Keeps the controls, and what they say to the model, whose head is turned as the portrait's afterwards."""
        config = self.machine.motion.config
        vectors = controls.vectors()
        led = self._leading is not None
        told = asked(config, told_beside(vectors)) if led else asked(config, vectors, self.look.home[:3])
        guided = conditions.known_guidance(controls.guidance(), config.guided)
        always = {name: 0.0 for name in GUIDED if name in config.guided}
        self._controls, self._told, self._scales = controls, {n: v[None] for n, v in told.items()}, always | guided

    def _value(self, name: str) -> Any:
        return getattr(self._controls, name)

    @property
    def made(self) -> int:
        """Frames so far."""
        return self._made

    def _run(self) -> list[Frame]:
        frames: list[Frame] = []
        while (told := self.ask()) is not None:
            how = self._controls.steps, self._controls.sampler
            (answer,) = self.machine.speak([told], [self.scales()], *how)
            frames += self._show(self.take(*answer))
        return frames

    def _show(self, motion: Float[np.ndarray, "n m"]) -> list[Frame]:
        frames: list[Frame] = []
        for at in range(0, len(motion), self.hop):
            piece = motion[at : at + self.hop]
            (parts,) = self.machine.frames([self.look], [piece], self.hop)
            frames += map(self.marks, self.machine.finish(self.look, piece, parts))
        return frames

    # ---- for engines ----------------------------------------------------------------------------------

    def hear(self, samples: Samples) -> None:
        """Takes audio in."""
        audio = as_audio(samples)
        self._samples += len(audio)
        self._take_in(np.concatenate([self._partial, audio]))

    def end(self) -> None:
        """What is heard so far is all there is, until more is heard."""
        wanted = round(self._samples / RATE * FPS) - self._samples // FRAME
        rest = np.pad(self._partial, (0, FRAME - len(self._partial)))[: wanted * FRAME]
        self._take_in(rest)
        self._partial, self._samples = self._partial[:0], 0
        self._left = self.waiting or None

    @property
    def waiting(self) -> int:
        """Frames of audio that are heard and not shown yet."""
        return (len(self._kept) - self._before) // FRAME

    @property
    def ready(self) -> bool:
        """Whether a window can be made."""
        return self.waiting >= self.span or bool(self._left)

    def ask(self) -> Told | None:
        """The next window's arguments; None: not enough is heard yet. `take` must follow before it is asked again."""
        if not self.ready:
            return None
        known = self._known()
        audio = np.zeros(self._window, np.float32)
        there = self._kept[: self._before + known * FRAME]
        audio[: len(there)] = there
        return self._course.ask(audio, self._before // FRAME + known, self._told)

    def scales(self) -> dict[str, float]:
        """Guidance strengths, the names being those of the compiled program."""
        return dict(self._scales)

    def take(
        self, motion: Float[np.ndarray, "w m"], level: Float[np.ndarray, ""] | np.floating
    ) -> Float[np.ndarray, "n m"]:
        """The motion of the next frames, placed where the portrait's head is, of what the model answered to `ask`."""
        made = min(self.hop, self._known())
        piece = self._course.take(motion, level, made, self.span)
        self._kept = self._kept[made * FRAME :].copy()
        if self._left is not None:
            self._left = self._left - made or None
        return self._placed(piece)

    def close(self) -> Float[np.ndarray, "5 m"]:
        """Forgets what is heard and not shown; the motion that closes the mouth."""
        motion = closing(self._course.last, self.look.start, self.machine.mouth)
        piece = self._course.lead(motion)
        self._kept, self._partial = np.zeros(self._before, np.float32), self._partial[:0]
        self._samples, self._left = 0, None
        return self._placed(piece)

    def _known(self) -> int:
        return min(self.span, self.waiting if self._left is None else self._left)

    def _take_in(self, audio: Float[np.ndarray, "n"]) -> None:
        whole = len(audio) // FRAME * FRAME
        heard = [self._hearing.frame(audio[at : at + FRAME]) for at in range(0, whole, FRAME)]
        self._kept, self._partial = np.concatenate([self._kept, *heard]), audio[whole:].copy()

    def _placed(self, motion: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
        self._made += len(motion)
        placed = [editing.from_home(vector, self.look.home, True) for vector in motion]
        if (mouth := self.machine.mouth) is not None:
            placed = [mouth.opened(vector) for vector in placed]
        if self._leading is not None:
            told = self._controls.vectors()
            placed = [self._leading.frame(vector, *(np.asarray(told[name]) for name in LED)) for vector in placed]
        return np.stack(placed)


def _differ(a: Any, b: Any) -> bool:
    return a != b if isinstance(a, dict) else not np.array_equal(a, b)


def as_audio(value: Samples) -> Float[np.ndarray, " n"]:
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputError("the audio is ragged: give samples [n], 16 kHz mono") from None
    if array.ndim != 1 or array.dtype.kind not in "fi" or (array.dtype.kind == "i" and array.dtype != np.int16):
        if array.size:
            shape = "x".join(map(str, array.shape))
            raise InputError(f"the audio is {array.dtype} [{shape}]: give float32 (or int16) [n], 16 kHz mono")
        return np.zeros(0, np.float32)
    return array.astype(np.float32) / np.float32(1 if array.dtype.kind == "f" else 32768)
