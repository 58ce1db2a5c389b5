"""Trains any stage of the model, or goes on where it was stopped.

    python -m experiments.train --config=experiments/configs/face/small_128.py --workdir=D

Run the same command again to resume. SIGTERM, SIGHUP or Ctrl-C saves and leaves with exit code 42. Several hosts
run the same command; they find each other as vasa_jax/training/distributed.py says (docs/pod.md).
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import config_flags

from experiments.common import agreement, app, tasks
from vasa_jax import files
from vasa_jax.errors import EXIT_OK, EXIT_PREEMPTED, InputError, UsageError

CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration file; --config.a.b=v overrides a field.")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run: manifest, metrics, checkpoints, TensorBoard events.")
DRY_RUN = flags.DEFINE_bool("dry_run", False, "Print shapes, parameters and memory of the run; train nothing.")
MEMORY = flags.DEFINE_bool("compile", False, "With --dry_run: compile the train step and report its memory.")
DISTRIBUTED = flags.DEFINE_string(
    "distributed", "auto", "Where other processes are looked for: auto (flags, variables, SLURM, GKE), tpu, off."
)
COORDINATOR = flags.DEFINE_string("coordinator", "", "HOST:PORT of process 0, with --process_count and --process_id.")
PROCESS_COUNT = flags.DEFINE_integer("process_count", 0, "Processes that train together.", lower_bound=0)
PROCESS_ID = flags.DEFINE_integer("process_id", -1, "Number of this process, from 0.", lower_bound=-1)

STATS_BATCHES = 64
OF_EVALUATION = {"eval_batches", "eval_mixture", "eval_split"}
"""Fields of config.data that say what a run is evaluated on."""


def make_stream(config: Any, split: str, process: int | None = None) -> Any:
    """The clip stream of config.data for one split ('train', 'validation', 'test'): a process's share of the items.

    Held-out streams draw with a fixed seed, so that runs of other seeds are scored on the same items.
    """
    import jax

    from data_pipelines.clips import ClipStream

    data = config.data.to_dict()
    options = {key: value for key, value in data.items() if key not in OF_EVALUATION | {"dir"}}
    options |= agreement.data_options(config)
    if "config" in options:
        options.pop("size", None)  # two names of one thing
    if split != "train" and data.get("eval_mixture"):
        options["mixture"] = data["eval_mixture"]
    own = jax.process_index() if process is None else process
    hosts = {"process_index": own, "process_count": jax.process_count()}
    seed = config.seed if split == "train" else 0
    if config.task == "generator":
        from data_pipelines.generator_inputs import GeneratorInputs

        return GeneratorInputs(Path(data["dir"]) / split, config.batch_size, seed, **hosts)
    return ClipStream(data["dir"], split=split, batch_size=config.batch_size, seed=seed, **hosts, **options)


def held_out_stream(config: Any) -> Any | None:
    """What a run is evaluated on: config.data.eval_split, "validation" unless it says otherwise; None for no batches.

    Never another split unasked: settings that were chosen on `test` make its numbers worthless.
    """
    from data_pipelines.integrity import NoSplit

    if not config.data.get("eval_batches", 4):
        return None
    try:
        return make_stream(config, config.data.get("eval_split", "validation"))
    except NoSplit as error:
        raise InputError(
            f"{error}; prepare it again, name another with --config.data.eval_split, or evaluate nothing: "
            "--config.data.eval_batches=0"
        ) from error


def motion_statistics(stream: Any, path: Path) -> dict[str, list[float]]:
    """What the motion is standardised with, from the first batches of the stream; kept in the workdir.

    Kept, because a resume must standardise as the start did, also when the data set has grown.
    """
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    from vasa_jax.training.motion_task import statistics

    stats = statistics(stream.batch(step) for step in range(STATS_BATCHES))
    files.write_json(path, stats)
    return stats


def _statistics(config: Any, stream: Any, workdir: Path) -> dict[str, list[float]]:
    """`motion_statistics`, the same on every host: all of them look at the first one's share."""
    import jax

    shared = stream if jax.process_index() == 0 else make_stream(config, "train", process=0)
    return motion_statistics(shared, workdir / "motion_stats.json")


def _dry_run(config: Any) -> dict[str, Any]:
    """Shapes, parameters and memory, from the configuration alone."""
    from experiments.common import dry_run

    config = tasks.changeable(config)
    batch = dry_run.example_batch(config)
    task = dry_run.example_task(config, batch)
    return dry_run.describe(config, task, batch, compile_step=MEMORY.value)


def _meet() -> None:
    """Joins the other processes, if there are any; one of them reports."""
    from vasa_jax.training import distributed

    numbers = {"coordinator": COORDINATOR.value, "count": PROCESS_COUNT.value, "process": PROCESS_ID.value}
    group = distributed.find(os.environ, kind=DISTRIBUTED.value, **numbers)
    distributed.initialize(group)
    if group is not None and not distributed.primary():
        app.REPORT.value = None


def main() -> tuple[int, dict[str, Any]]:
    config = tasks.checked(CONFIG.value)
    app.compile_cache()
    if DRY_RUN.value:
        return EXIT_OK, _dry_run(config)
    _meet()
    if not WORKDIR.value:
        raise UsageError("--workdir is missing; name a folder for the run (the same one to resume)")
    workdir = Path(WORKDIR.value)
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=workdir):
            pass
    except OSError as error:
        raise InputError(f"--workdir={workdir} cannot be used ({error.strerror}); choose another folder") from error
    from experiments.common import dry_run
    from vasa_jax.training import loop

    train_stream, held_out = make_stream(config, "train"), held_out_stream(config)
    if config.task == "motion":
        for stream in filter(None, (train_stream, held_out)):
            agreement.check_motion_width(config, stream)
    stats = _statistics(config, train_stream, workdir) if config.task == "motion" else None
    task = tasks.make_task(config, stats)
    result = loop.train(
        config,
        task,
        train_stream.iterate,
        None if held_out is None else held_out.iterate,
        workdir,
        manifest_extra={"motion_stats": stats} if stats else None,
        operations=lambda: dry_run.step_operations(config, config.batch_size),
    )
    report = {
        "step": result.step,
        "steps": config.steps,
        "preempted": result.preempted,
        "metrics": result.metrics,
        "parameters": result.parameters,
        "workdir": str(workdir),
        "damaged": {"train": train_stream.damaged, "held_out": {} if held_out is None else held_out.damaged},
    }
    return (EXIT_PREEMPTED if result.preempted else EXIT_OK), report


HELP = app.Help(
    example="--config=experiments/configs/face/tiny_64.py --config.data.dir=data --workdir=runs/tiny/face",
    groups={
        "the run": (CONFIG, WORKDIR),
        "ask without training": (DRY_RUN, MEMORY),
        "several processes": (DISTRIBUTED, COORDINATOR, PROCESS_COUNT, PROCESS_ID),
    },
)


def run() -> None:
    sys.stdout.reconfigure(line_buffering=True)
    app.run(main, info=HELP, preempted=EXIT_PREEMPTED)


if __name__ == "__main__":
    run()
