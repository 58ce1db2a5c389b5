"""The layouts, and how far each goes from one device."""

import tempfile
from pathlib import Path
from typing import Any

import jax
import ml_collections

from experiments.equality import course, processes
from experiments.equality.cases import CASES
from vasa_jax.errors import UsageError
from vasa_jax.training.partition import MeshPartitioner, make_partitioner

DEVICES = 8
LAYOUTS: dict[str, dict[str, Any]] = {
    "8 data": {"mesh": {"data": 8, "fsdp": 1, "tensor": 1}},
    "2x4 fsdp": {"mesh": {"data": 2, "fsdp": 4, "tensor": 1}},
    "2x2x2 tensor": {"mesh": {"data": 2, "fsdp": 2, "tensor": 2}},
    "pmap": {"parallel": "pmap"},
}


def partitioner(config: ml_collections.ConfigDict, layout: str) -> MeshPartitioner:
    """The configuration's partitioner in a layout."""
    if layout not in LAYOUTS:
        raise UsageError(f"--layouts: {layout!r} is not known; choose from {', '.join(LAYOUTS)}")
    config = config.copy_and_resolve_references()
    config.update(LAYOUTS[layout])
    return make_partitioner(config)


def compare(stage: str, steps: int, layouts: list[str], processes: list[int]) -> dict[str, dict[str, float]]:
    """Every layout and every number of processes against one device, and the control."""
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


def by_processes(stage: str, steps: int, count: int, layout: str = "8 data") -> course.Course:
    """The course of a stage trained by several processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "course.npz"
        words = ["-m", "experiments.equality", f"--stages={stage}", f"--layouts={layout}", f"--steps={steps}"]
        processes.together([*words, f"--course={path}"], count, devices=DEVICES)
        return course.Course.load(path)
