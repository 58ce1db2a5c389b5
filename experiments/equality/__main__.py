"""Trains both stages in every layout and writes how far each went from one device.

    python -m experiments.equality --report=experiments/results/equality.json
    python -m experiments.equality --stages=motion --layouts=2x4 --processes=2,4

The tasks, losses and optimisers are those of the tiny configurations, with fewer and smaller layers, in float32 on
eight virtual CPU devices. Sums are taken in another order in every layout, and twenty steps of Adam and of a critic
carry further what that changes; so beside the layouts stands a control: one device again, from parameters that differ
in their last bit. Processes exchange over gloo; each makes only its own rows of a batch.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from absl import flags

from experiments import app
from vasa_jax.errors import UsageError

STAGES = flags.DEFINE_list("stages", ["face", "motion"], "Stages to train.")
STEPS = flags.DEFINE_integer("steps", 20, "Steps to train.", lower_bound=1)
NAMED = flags.DEFINE_list("layouts", ["8 data", "2x4 fsdp", "2x2x2 tensor", "pmap"], "Layouts to compare.")
PROCESSES = flags.DEFINE_list("processes", ["2", "4"], "Numbers of processes to share the devices.")
COURSE = flags.DEFINE_string("course", None, "Only train the one stage in the one layout; write the course here.")
OPTIMISE = flags.DEFINE_bool("optimise", False, "Let LLVM optimise: minutes of compiling for seconds of work.")

DEVICES = 8
LAYOUTS: dict[str, dict[str, Any]] = {
    "8 data": {"mesh": {"data": 8, "fsdp": 1, "tensor": 1}},
    "2x4 fsdp": {"mesh": {"data": 2, "fsdp": 4, "tensor": 1}},
    "2x2x2 tensor": {"mesh": {"data": 2, "fsdp": 2, "tensor": 2}},
    "pmap": {"parallel": "pmap"},
}


def partitioner(config: Any, layout: str) -> Any:
    """The configuration's partitioner in a layout."""
    from vasa_jax.training.partition import make_partitioner

    if layout not in LAYOUTS:
        raise UsageError(f"--layouts: {layout!r} is not known; choose from {', '.join(LAYOUTS)}")
    config = config.copy_and_resolve_references()
    config.update(LAYOUTS[layout])
    return make_partitioner(config)


def compare(stage: str, steps: int, layouts: list[str], processes: list[int]) -> dict[str, dict[str, float]]:
    """Every layout and every number of processes against one device, and the control."""
    import jax

    from experiments.equality import course
    from experiments.equality.cases import CASES
    from vasa_jax.training.partition import MeshPartitioner

    case, table = CASES[stage](), {}
    alone = lambda: MeshPartitioner({"data": 1}, devices=jax.devices()[:1])  # noqa: E731
    expected = course.train(case, alone(), steps)

    def note(name: str, found: course.Course) -> None:
        table[name] = course.difference(found, expected)
        words = ", ".join(f"{key} {value:.2g}" for key, value in table[name].items())
        print(f"  {stage}, {name}: {words}", flush=True)

    note("control: last bit", course.train(case, alone(), steps, nudge=2.0**-23))
    for layout in layouts:
        note(layout, course.train(case, partitioner(case.config, layout), steps))
    for count in processes:
        note(f"{count} processes", by_processes(stage, steps, count))
    return table


def by_processes(stage: str, steps: int, count: int, layout: str = "8 data") -> Any:
    """The course of a stage trained by several processes."""
    from experiments.equality import course, processes

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "course.npz"
        words = ["-m", "experiments.equality", f"--stages={stage}", f"--layouts={layout}", f"--steps={steps}"]
        processes.together([*words, f"--course={path}"], count, devices=DEVICES)
        return course.Course.load(path)


def write_course(path: str) -> dict[str, Any]:
    """Trains one stage in one layout, alone or as one process of several; the first writes the course."""
    from experiments.equality import course
    from experiments.equality.cases import CASES
    from vasa_jax.training import distributed

    case = CASES[STAGES.value[0]]()
    made = course.train(case, partitioner(case.config, NAMED.value[0]), STEPS.value)
    if distributed.primary():
        made.save(path)
    return {"losses": made.losses}


def main() -> dict[str, Any]:
    """Trains and compares; returns the report."""
    if not OPTIMISE.value:
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0".strip()
    import jax

    from vasa_jax.training import distributed, manifest

    jax.config.update("jax_platforms", "cpu")
    app.compile_cache()
    distributed.initialize(distributed.find(os.environ))
    if COURSE.value:
        return write_course(COURSE.value)
    jax.config.update("jax_num_cpu_devices", DEVICES)
    start = time.monotonic()
    counts = [int(count) for count in PROCESSES.value]
    table = {stage: compare(stage, STEPS.value, NAMED.value, counts) for stage in STAGES.value}
    return {
        "what": " ".join((__doc__ or "").split("\n\n")[2].split()),
        "measures": "largest differences from one device: losses and gradient norms relative, parameters absolute",
        "command": ["python -m experiments.equality", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "steps": STEPS.value,
        "devices": DEVICES,
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "seconds": round(time.monotonic() - start, 1),
        "largest_difference": table,
    }


if __name__ == "__main__":
    app.run(main)
