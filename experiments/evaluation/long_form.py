"""suite=long_form: minutes of motion in constant memory, without drift and without seams.

A minute of held-out speech is played again and again, so that every tenth of ten minutes hears the same. Images are
not made: everything here is about the motion.
"""

import itertools
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from vasa_jax.metrics import long_form

RATE, FPS = 16_000, 25
LOOP_SECONDS = 60


def speech(clips: Sequence[Float[np.ndarray, " n"]], seconds: int = LOOP_SECONDS) -> Float[np.ndarray, " n"]:
    """`seconds` of audio: the clips one after another, as often as it takes."""
    audio = list(itertools.chain(clips))
    rounds = -(-seconds * RATE // sum(map(len, audio)))
    return np.concatenate(audio * rounds)[: seconds * RATE].astype(np.float32)


def synthetic_speech(seconds: int = LOOP_SECONDS) -> Float[np.ndarray, " n"]:
    """The same, spoken by the project's own synthesiser."""
    from data_pipelines.synthetic import voice

    sounds = voice.babble(np.random.default_rng(0), seconds + 1.0)
    return voice.synthesise(sounds).audio[: seconds * RATE]


def run(
    generator: Any, loop: Float[np.ndarray, " n"], seconds: int, show_progress: Any = iter, **how: Any
) -> dict[str, Any]:
    """Statistics of `seconds` of motion, and of its first minute alone.

    Args:
      generator: `MotionGenerator`.
      loop: audio that is played again and again.
      seconds: of motion.
      how: arguments of `MotionGenerator.windows`.
    """
    frames = seconds * FPS
    pieces, joints, memory = [], [], []

    def audio() -> Iterator[np.ndarray]:
        while True:
            yield from np.array_split(loop, max(len(loop) // RATE, 1))

    at, tenths = 0, [frames * k // 10 for k in range(1, 11)]
    for piece in show_progress(generator.windows(audio(), frames, **how)):
        pieces.append((piece - generator.mean) / generator.std)
        joints.append(at)
        at += len(piece)
        while tenths and at >= tenths[0]:
            tenths.pop(0)
            memory.append(round(_resident(), 1))
    motion, starts = np.concatenate(pieces), np.asarray(joints[1:])
    report = {"seconds": seconds, "windows": len(joints), "hop": int(np.median(np.diff(joints)))}
    report["whole"] = {"drift": long_form.drift(motion), "jumps": long_form.jumps(motion, starts)}
    minute = motion[: 60 * FPS]
    if len(motion) > len(minute):
        report["first_minute"] = {
            "drift": long_form.drift(minute, block=FPS),
            "jumps": long_form.jumps(minute, starts[starts < len(minute)]),
        }
    report["memory"] = {
        "resident_mib_by_tenth": memory,
        "growth_mib": round(memory[-1] - memory[0], 1),
        "kept_motion_mib": round(motion.nbytes / 2**20, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    return report


def _resident() -> float:
    """MiB of memory that this process holds now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize() / 2**20
    except OSError:  # not Linux: the largest so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    lines = []
    for name in ("whole", "first_minute"):
        if name in report:
            drift, jumps = report[name]["drift"], report[name]["jumps"]
            cells = [tables.cell(drift[k]) for k in ("p_value", "level_shift", "spread_ratio", "speed_ratio")]
            lines.append([name.replace("_", " "), *cells, *(tables.cell(jumps[k], 2) for k in ("change", "bend"))])
    columns = ["", "drift p", "level shift", "spread", "speed", "jump at joints", "bend at joints"]
    tables.show(f"{report['seconds']} s in {report['windows']} windows, last tenth against first", columns, lines)
    print(f"  memory (MiB) after each tenth: {report['memory']['resident_mib_by_tenth']}")
