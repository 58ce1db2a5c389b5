"""Suite `loop`: what the training loop costs beside the compiled step, and how long a save holds it up.

    python -m experiments.benchmark --suite=loop --data=data --steps=40 --report=loop_benchmark.json

Each configuration trains on its real data, `--rounds` saves in `--steps` steps. The loop's own ledger says where the
time went: `overhead_percent` is everything that is neither the compiled step nor its compilation nor a save (waiting
for batches and moving them, logging, guards, the watchdog), as a share of the time of the steps. Where the device works
on while the loop does these things, as every backend does, that is an upper bound. `save_stalls` are the saves, the
wait for the one before included, in steps of the same run.
"""

import importlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from vasa_jax.errors import UsageError

CONFIGS = ("face/small_128", "motion/small")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """One entry a configuration, by its path under experiments/configs."""
    report: dict[str, Any] = {}
    for name in options["configs"] or CONFIGS:
        report[name] = measure(name, options["data"], options["steps"], options["rounds"])
        print(f"{name}: {json.dumps(report[name])}", flush=True)
    return report


def measure(name: str, data: str, steps: int, saves: int) -> dict[str, Any]:
    """Trains in a folder that goes away, and reads what the run wrote of itself."""
    from experiments import train
    from vasa_jax.training import goodput, loop

    try:
        config = importlib.import_module(f"experiments.configs.{name.replace('/', '.')}").get_config()
    except ModuleNotFoundError as error:
        raise UsageError(f"--configs={name}: no such file under experiments/configs ({error})") from error
    config.data.dir = data
    config.steps = steps
    config.checkpoint_every = max(steps // saves, 1)
    config.log_every = min(config.log_every, 5)
    config.tensorboard = False
    stream = train.make_stream(config, "train")
    with tempfile.TemporaryDirectory() as folder:
        workdir = Path(folder)
        stats = train.motion_statistics(stream, workdir / "motion_stats.json") if config.task == "motion" else None
        result = loop.train(config, train.make_task(config, stats), stream.iterate, None, workdir)
        ledger = json.loads((workdir / goodput.NAME).read_text(encoding="utf-8"))
        rows = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        newest = workdir / "checkpoints" / str(steps)
        size = sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())
    seconds, last = ledger["seconds"], rows[-1]
    stalls = np.asarray([row["save_stall_ms"] for row in rows if "save_stall_ms" in row]) / last["step_ms_p50"]
    return {
        "parameters": result.parameters["total"],
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
