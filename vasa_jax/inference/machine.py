"""The compiled programs of live sessions: windows of motion and frames, of `rows` sessions a call, always in one shape.

One shape for every call, whoever is there: what is missing is filled up with a copy of the first row. So nothing is
compiled while anybody waits, and a session's images do not depend on who else is served.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.inference.blinks import Lids
from vasa_jax.inference.closing import Mouth
from vasa_jax.inference.course import Told
from vasa_jax.inference.leading import Courses
from vasa_jax.inference.look import Look
from vasa_jax.inference.motion import MotionGenerator, speak_window
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.inference.starting_noise import StartingNoise

Frame = UInt8[np.ndarray, "h w 3"]


class Machine:
    """What live sessions share.

    Args:
      renderer, motion: the models.
      lids, mouth: how codes tell lids and mouth, if anybody knows.
      rows: sessions of one call. Where there is one its program is without a batch, which suits processors.
      courses: as of `TalkingFace`.
    """

    def __init__(
        self,
        renderer: FaceRenderer,
        motion: MotionGenerator,
        lids: Lids | None = None,
        mouth: Mouth | None = None,
        rows: int = 1,
        courses: Courses | None = None,
    ) -> None:
        self.renderer, self.motion, self.lids, self.mouth, self.rows = renderer, motion, lids, mouth, rows
        self.courses = courses
        self._programs: dict[tuple, Any] = {}

    def speak(
        self, told: Sequence[Told], scales: Sequence[Mapping[str, float]], steps: int, method: str
    ) -> list[tuple[Float[np.ndarray, "w m"], Float[np.ndarray, ""] | np.floating]]:
        """Windows of up to `rows` sessions, which share steps, sampler and the names of what guides them."""
        count = len(told)
        rows = [(t, {name: np.float32(v) for name, v in s.items()}) for t, s in zip(told, scales, strict=True)]
        filled = [_arguments(*row) for row in rows + rows[:1] * (self.rows - count)]
        stacked = filled[0] if self.rows == 1 else jax.tree.map(lambda *x: np.stack(x), *filled)
        models = self.motion.params, stacked, self.motion.starting, self.motion.speech
        motion, level = jax.device_get(self._speaker(steps, method)(*models))
        return [(motion, level)] if self.rows == 1 else list(zip(motion, level, strict=True))[:count]

    def frames(self, looks: Sequence[Look], motions: Sequence[Float[np.ndarray, "_ m"]], batch: int) -> list[list[Any]]:
        """What `finish` makes frames of, for up to `rows` sessions with at most `batch` frames each."""
        filled = [np.concatenate([m, np.repeat(m[-1:], batch - len(m), 0)]).astype(np.float32) for m in motions]
        missing = self.rows - len(looks)
        latents = [look.latents for look in looks]
        made = self.renderer.decode_rows(latents + latents[:1] * missing, np.stack(filled + filled[:1] * missing))
        return [row[: len(motion)] for row, motion in zip(made, motions)]

    def finish(self, look: Look, motion: Float[np.ndarray, "n m"], parts: Sequence[Any]) -> list[Frame]:
        """Pictures of what `frames` returned for one session: the part that a processor does."""
        return [self.renderer.finish(part, pose[:7], look.large, look.size) for part, pose in zip(parts, motion)]

    def _speaker(self, steps: int, method: str) -> Any:
        if (steps, method) not in self._programs:
            one = functools.partial(_window, config=self.motion.config, steps=steps, method=method)
            run = one if self.rows == 1 else jax.vmap(one, in_axes=(None, 0, None, None))
            self._programs[steps, method] = jax.jit(run)
        return self._programs[steps, method]


def _arguments(told: Told, scales: Mapping[str, np.float32]) -> dict[str, Any]:
    return {**{name: getattr(told, name) for name in told.__dataclass_fields__}, "scales": scales}


def _window(
    params: Any, row: dict[str, Any], starting: StartingNoise, speech: Any, *, config: Any, **how: Any
) -> tuple[jax.Array, jax.Array]:
    """`speak_window` with the key made of seed and frame, as `MotionGenerator.windows` makes it."""
    key = jax.random.fold_in(jax.random.key(row["seed"]), row["at"])
    audio, floor, conditions = row["audio"], row["floor"], row["conditions"]
    return speak_window(
        params, audio, floor, conditions, starting, key, row["scales"], row["drop"], speech, config=config, **how
    )
