"""Kills training at random moments and flips random bits in its checkpoints; says what became of it.

    python -m tests.training.checkpoint_faults --report=experiments/results/checkpoint_faults.json

Both with the toy task: what breaks here (files, threads, order) does not depend on the model.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from tests.training import killed
from tests.training.killed import Kill
from vasa_jax import files
from vasa_jax.training import checkpoint, manifest


def kills(folder: Path, cache: Path, count: int, steps: int, every: int, seed: int = 0) -> dict[str, Any]:
    """`count` kills at random moments of a run that saves every few steps, then the rest of it undisturbed.

    A kill strikes after a random number of steps and up to 50 ms more: into steps, into copies to the host, and mostly
    into the writing of a checkpoint, which goes on nearly all the time here.
    """
    changes = {"steps": steps, "checkpoint_every": every, "log_every": every, "keep": 2}
    whole, parts = folder / "whole", folder / "parts"
    assert killed.run("toy", whole, cache, changes).code == 0
    rng, rows = np.random.default_rng(seed), []
    while len(rows) < count:
        ended = killed.run("toy", parts, cache, changes, Kill(int(rng.integers(1, 4 * every)), 0.05 * rng.random()))
        if ended.code != -9:
            raise RuntimeError(f"the run ended with {ended.code} after {len(rows)} kills; see {folder}/parts.log")
        torn = sorted(path.name for path in (parts / "checkpoints" / ".saving").glob("*"))
        found = checkpoint.Checkpoints(parts / "checkpoints").newest()
        at = found.step if found else 0
        due = ended.reached // every * every  # the newest save that can have begun
        rows.append(
            {
                "resumed_from": ended.began,
                "killed_at": ended.reached,
                "resumes_from": at,
                "steps_lost": ended.reached - at,
                "saves_lost": max(due - at, 0) // every,
                "unfinished_save": bool(torn),
            }
        )
    end = killed.run("toy", parts, cache, changes)
    lost = [row["steps_lost"] for row in rows]
    return {
        "kills": len(rows),
        "resumes": sum(later["resumed_from"] == row["resumes_from"] for row, later in zip(rows, rows[1:]))
        + (not end.code),
        "steps": steps,
        "save_interval": every,
        "kills_during_a_save": sum(row["unfinished_save"] for row in rows),
        "most_saves_lost": max(row["saves_lost"] for row in rows),
        "steps_lost": {"median": float(np.median(lost)), "most": max(lost)},
        "same_final_state": killed.same(killed.state(whole), killed.state(parts)),
        "each": rows,
    }


def flips(folder: Path, cache: Path, count: int, seed: int = 0) -> dict[str, Any]:
    """`count` times one random bit of the newest checkpoint, each on a fresh copy of the run, which then goes on."""
    changes = {"steps": 12, "checkpoint_every": 4, "log_every": 4}
    run = folder / "run"
    assert killed.run("toy", run, cache, changes).code == 0
    expected = killed.state(run)
    shutil.rmtree(run / "checkpoints" / "12")  # as if it had been killed before
    damaged = sorted(path for path in (run / "checkpoints" / "8").rglob("*") if path.is_file())
    sizes = np.asarray([path.stat().st_size for path in damaged])
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        copy = folder / f"flip_{number}"
        shutil.copytree(run, copy)
        bit = int(rng.integers(8 * sizes.sum()))
        path = damaged[int(np.searchsorted(np.cumsum(8 * sizes), bit, side="right"))]
        place = bit - int(8 * sizes[: damaged.index(path)].sum())
        target = copy / path.relative_to(run)
        data = bytearray(target.read_bytes())
        data[place // 8] ^= 1 << place % 8
        target.write_bytes(data)
        ended = killed.run("toy", copy, cache, changes)
        rows.append(
            {
                "file": str(path.relative_to(run / "checkpoints" / "8")),
                "bit": place,
                "detected": (copy / "checkpoints" / "damaged-8").is_dir(),
                "went_on_from": ended.began,
                "same_final_state": not ended.code and killed.same(expected, killed.state(copy)),
            }
        )
        shutil.rmtree(copy)
    return {
        "flips": len(rows),
        "detected": sum(row["detected"] for row in rows),
        "went_on_from_the_step_before": sum(row["went_on_from"] == 4 for row in rows),
        "same_final_state": sum(row["same_final_state"] for row in rows),
        "bytes_of_the_checkpoint": int(sizes.sum()),
        "each": rows,
    }


def _about() -> dict[str, Any]:
    return {
        "command": ["python -m tests.training.checkpoint_faults", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices(),
        "versions": manifest.versions(),
        "commit": manifest.commit(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--flips", type=int, default=30)
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--report", type=Path, required=True, help="what it holds of the other part stays")
    args = parser.parse_args()
    report = json.loads(args.report.read_text(encoding="utf-8")) if args.report.is_file() else {}
    report["what"] = "kill -9 at random moments of training with saves, and single flipped bits in checkpoint files"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.flips:
            report["bit_flips"] = _about() | flips(folder, folder / "cache", args.flips)
        if args.kills:
            report["kills"] = _about() | kills(folder, folder / "cache", args.kills, args.steps, every=10)
    files.write_json(args.report, report)
    for name in report.keys() & {"bit_flips", "kills"}:
        print(name, {key: value for key, value in report[name].items() if key != "each"})


if __name__ == "__main__":
    main()
