"""A video that is computed as it is read, and how it becomes a signed file; how long every stage took."""

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from vasa_jax import media
from vasa_jax.paths import PathLike, check_output
from vasa_jax.provenance import badge as badges
from vasa_jax.provenance import credentials as c2pa_credentials
from vasa_jax.provenance import keys, watermark

Progress = Callable[[int, int], None]


def version() -> str:
    """Of this software."""
    try:
        return metadata.version("vasa_jax")
    except metadata.PackageNotFoundError:
        return "0+unknown"


class Stopwatch:
    """Seconds spent in each stage; iterators are timed while they are asked for items."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def call(self, stage: str, function: Callable, *args: Any, **options: Any) -> Any:
        """The function's result, its time added to the stage."""
        start = time.monotonic()
        try:
            return function(*args, **options)
        finally:
            self.seconds[stage] += time.monotonic() - start

    def items(self, stage: str, iterator: Iterator, inside: str | None = None) -> Iterator:
        """The iterator's items; `inside` names a stage that runs within and is not to be counted twice."""
        end = object()
        while True:
            before = self.seconds[inside] if inside else 0.0
            item = self.call(stage, next, iterator, end)
            if inside:
                self.seconds[stage] -= self.seconds[inside] - before
            if item is end:
                return
            yield item


@dataclasses.dataclass
class Video:
    """A talking face, computed as it is read: iterate for frames uint8 [h, w, 3], or `save`.

    What comes out either way carries the invisible watermark (`provenance.watermark`), iterated frames that of this
    installation's key; `make` gives the frames before it, for measurements. Iterating again computes the same frames
    again; memory does not grow with length.
    """

    make: Callable[[], Iterator[UInt8[np.ndarray, "h w 3"]]] = dataclasses.field(repr=False)
    audio: media.AudioReader
    frames: int
    size: int
    info: dict[str, Any]
    watch: Stopwatch
    fps: int = media.FPS

    def __iter__(self) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        return watermark.mark(self.make(), keys.signing_key().key_id, self.fps)

    def __len__(self) -> int:
        return self.frames

    def save(
        self,
        path: PathLike,
        *,
        badge: bool = True,
        credentials: bool = True,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
        progress: Progress | None = None,
    ) -> dict[str, Any]:
        """Writes H.264 + AAC with badge, watermark and signed content credentials; nothing is left behind on failure.

        Args:
          path: the .mp4.
          badge: draw the visible "AI" badge; hiding it is recorded in the credentials.
          credentials: sign. Without them the watermark alone tells that the video is generated.
          certificate, key: PEM files to sign with instead of this installation's; the watermark names that key.
          progress: called with (frames done, frames in all).

        Returns:
          What was made: frames, seconds, timings, inputs' hashes, controls.
        """
        check_output(path)
        if credentials:
            c2pa_credentials.require()
        signing = keys.signing_key(certificate, key)
        generation = {**self.info["provenance"], "badge": badge}

        def finish(temporary: Path) -> None:
            if credentials:
                self.watch.call("sign", c2pa_credentials.sign, temporary, generation, signing, version())

        start = time.monotonic()
        with media.VideoWriter(path, self.audio, self.fps, finish) as writer:
            shown = map(badges.draw, self.make()) if badge else self.make()
            for frame in watermark.mark(shown, signing.key_id, self.fps):
                self.watch.call("write", writer.write, frame)
                if progress is not None:
                    progress(writer.count, self.frames)
        self.watch.seconds["generate_total"] = time.monotonic() - start
        marks = {"badge": badge, "credentials": credentials, "watermark": f"{signing.key_id:08x}"}
        return self.report() | {"output": str(path)} | marks

    def report(self) -> dict[str, Any]:
        """Everything known about the video so far."""
        known = {"frames": self.frames, "seconds": self.frames / self.fps, "fps": self.fps, "size": self.size}
        timings = {stage: round(seconds, 4) for stage, seconds in self.watch.seconds.items()}
        return {**self.info, **known, "timings": timings, "version": version()}
