"""Suite `video`: frames a second of finished videos, from an image file and a recording to a signed mp4.

    vasa-benchmark --suite=video --configs=bundled,bundled-fast --sizes=256,512 --rounds=5 --report=video.json

All that a user waits for once programs are compiled: find the face, make the motion, decode, compose, mark, code, sign.
The photograph and the recording that come with the package; `--audio` takes another. Each round also times a matrix
product: `flops_per_frame` is how much of that peak one frame takes, which other work on the machine changes little.
"""

import tempfile
from pathlib import Path
from typing import Any

import jax

import vasa_jax
from experiments.benchmarks import decode
from experiments.common import timing
from vasa_jax import TalkingFace

_ASSETS = Path(vasa_jax.__file__).parent / "assets"
_SIZES = (256, 512)
"""Sides of the videos in pixels."""


def run(options: dict[str, Any]) -> dict[str, Any]:
    """A row for each release and size: {release: {size: rates, and the share of the machine's peak}}."""
    audio = options["audio"] or str(_ASSETS / "speech.flac")
    names = options["configs"] or ["bundled", "bundled-fast"]
    sizes = options["sizes"] or _SIZES
    jobs = decode.matmuls("float32", jax.default_backend())
    peaks = list(jobs)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            face = TalkingFace.load(name)
            for size in sizes:
                jobs[f"{name} {size}"] = _job(face, audio, size, Path(folder) / f"{size}.mp4")
        laps = timing.in_turns(jobs, options["rounds"])
    best = max(peaks, key=lambda peak: decode.speed(laps[peak]))
    report: dict[str, Any] = {"rounds": options["rounds"], "peak_flops_p50": decode.speed(laps[best])}
    for name in names:
        report[name] = {str(size): row(laps[f"{name} {size}"], laps[best]) for size in sizes}
        print(f"{name}: {report[name]}", flush=True)
    return report


def _job(face: TalkingFace, audio: str, size: int, output: Path) -> decode.Job:
    def make() -> int:
        video = face.animate(str(_ASSETS / "photo.jpg"), audio, size=size)
        video.save(str(output))
        return len(video)

    return lambda: timing.lap(make)


def row(found: list[timing.Lap], peak: list[timing.Lap]) -> dict[str, Any]:
    """Frames a second with the best round beside the median, and what a frame costs in operations at that peak."""
    pairs = zip(found, peak, strict=True)
    cost = sorted(bare.items / bare.wall * lap.wall / lap.items for lap, bare in pairs)
    best = max(lap.items / lap.wall for lap in found)
    return timing.rate(found) | {"per_second_best": round(best, 1), "flops_per_frame_p50": cost[len(cost) // 2]}
