"""Suite `loop`: what the training loop costs beside the compiled step, and how long a save holds it up.

    python -m experiments.benchmark --suite=loop --data=data --steps=40 --report=loop_benchmark.json

Each configuration trains on its real data, `--rounds` saves in `--steps` steps. The loop's own ledger says where the
time went: `overhead_percent` is everything that is neither the compiled step nor its compilation nor a save (waiting
for batches and moving them, logging, guards, the watchdog), as a share of the time of the steps. Where the device works
on while the loop does these things, as every backend does, that is an upper bound. `save_stalls` are the saves, the
wait for the one before included, in steps of the same run.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from vasa_jax.errors import InputError, UsageError

CONFIGS = ("face/small_128", "motion/small")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """One entry a configuration, by its path under experiments/configs."""
    report: dict[str, Any] = {}
    for name in options["configs"] or CONFIGS:
        report[name] = measure(name, options["data"], options["steps"], options["rounds"])
        print(f"{name}: {json.dumps(report[name])}", flush=True)
    return report


def measure(name: str, data: str, steps: int, saves: int) -> dict[str, Any]:
    """Trains as a user does, in a folder that goes away, and reads what the run wrote of itself."""
    config = Path(__file__).parents[1] / "configs" / f"{name}.py"
    if not config.is_file():
        raise UsageError(f"--configs={name}: there is no experiments/configs/{name}.py")
    changes = {"data.dir": data, "data.eval_batches": 0, "steps": steps, "checkpoint_every": max(steps // saves, 1)}
    changes |= {"log_every": 5, "optimizer.warmup_steps": 1}
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        words = [f"--config={config}", f"--workdir={workdir}", *(f"--config.{k}={v}" for k, v in changes.items())]
        command = [sys.executable, "-m", "experiments.train", *words]
        child = subprocess.run(command, capture_output=True, text=True, check=False)
        if child.returncode:
            raise InputError(f"training {name} ended with {child.returncode}: {child.stderr.strip()[-300:]}")
        ledger = json.loads((workdir / "goodput.json").read_text(encoding="utf-8"))
        parameters = json.loads((workdir / "run_manifest.json").read_text(encoding="utf-8"))["parameters"]
        rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        newest = workdir / "checkpoints" / str(steps)
        size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    seconds, last = ledger["seconds"], rows[-1]
    stalls = np.asarray([row["save_stall_ms"] for row in rows if "save_stall_ms" in row]) / last["step_ms_p50"]
    return {
        "parameters": parameters["total"],
        "steps": steps,
        "step_ms_p50": round(last["step_ms_p50"], 2),
        "step_ms_p95": round(last["step_ms_p95"], 2),
        "overhead_percent": round(100 * (seconds["data_wait"] + seconds["other"]) / seconds["step"], 3),
        "data_wait_percent": round(100 * seconds["data_wait"] / seconds["step"], 3),
        "checkpoint_bytes": size,
        "save_stalls": {
            "saves": len(stalls),
            "steps_p50": round(float(np.median(stalls)), 3),
            "steps_most": round(float(stalls.max()), 3),
        },
        "ledger_seconds": {account: round(value, 3) for account, value in seconds.items()},
        "ledger_minus_wall_seconds": round(sum(seconds.values()) - ledger["wall"], 6),
    }
