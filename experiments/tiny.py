"""Trains both stages from nothing and lets the result speak, in about a quarter of an hour on two cores: `make tiny`.

    python -m experiments.tiny --output=runs/tiny --report=runs/tiny/report.json

Runs experiments/recipes/tiny.toml: draw people, train the face model, take their motion, train the motion model,
export, generate. What is done is not done again; after Ctrl-C the same command resumes.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax.errors import EXIT_OK, EXIT_PREEMPTED

RECIPE = Path(__file__).parent / "recipes" / "tiny.toml"
_TOLD = {"heads": "data", "video": "generate"}  # parts that have other names in the report
FACE_SCORES = ("eval/l1_mouth", "eval/copy_mouth", "eval/l1_eyes", "eval/copy_eyes", "eval/mouth_cosine")


def define_flags() -> None:
    """Here and not at import, so that the scores can be imported beside other commands."""
    flags.DEFINE_string("output", "runs/tiny", "Folder for data, runs, weights and the video.")
    flags.DEFINE_integer("processes", 2, "Processes that draw.")


def held_out(run: Path, names: tuple[str, ...] | None = None) -> list[dict[str, float]]:
    """The held-out scores of a run, {"step": ..., name: ...} for each evaluation."""
    from experiments.recipes import telling

    return [
        {"step": row["step"]} | {k: round(v, 4) for k, v in row.items() if k in (names or row) and "eval/" in k}
        for row in telling.rows(run)
        if any(k.startswith("eval/") for k in row)
    ]


def main() -> tuple[int, dict[str, Any]]:
    """Runs what is not done yet; the report holds seconds a part and the held-out scores of both."""
    from experiments.recipes import planning, reading, running
    from vasa_jax.training import manifest

    folder = Path(flags.FLAGS.output)
    recipe = reading.read(RECIPE, "cpu")
    jobs = planning.plan(recipe, folder, {}, None, flags.FLAGS.processes)
    record, finished = running.run(jobs, folder)
    seconds = {_TOLD.get(name, name): round(one.seconds, 1) for name, one in record.parts.items()}
    return EXIT_OK if finished else EXIT_PREEMPTED, {
        "command": ["experiments.tiny", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices() | {"cores": len(os.sched_getaffinity(0))},
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "seconds": seconds | {"all": round(sum(seconds.values()), 1)},
        "face": held_out(folder / "face", FACE_SCORES),
        "motion": held_out(folder / "motion"),
        "video": str(folder / "talking.mp4"),
    }


def run() -> None:
    """`make tiny`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
