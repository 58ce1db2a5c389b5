"""What a recipe's parts measured, what was expected of them, and what is left to do."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.recipes.planning import Job
from experiments.recipes.reading import Recipe
from experiments.recipes.record import Entry
from vasa_jax import files

_PACE = (0.1, 10.0)


def measured(job: Job, workdir: Path) -> dict[str, float]:
    """The held-out metrics of a training at its last evaluation, without "eval/"; or what a part takes of a report.

    Where a model's error stands beside that of repeating the source ("l1_mouth", "copy_mouth"), their ratio is added
    as "l1_mouth_of_copy".
    """
    if not job.part.trains:
        return _of_report(workdir / "reports" / f"{job.part.name}.json", job.part.metrics)
    found: dict[str, float] = {}
    for row in rows(workdir / job.part.name):
        held_out = {name.removeprefix("eval/"): value for name, value in row.items() if name.startswith("eval/")}
        found = held_out or found
    for name in [name for name in found if name.startswith("l1_")]:
        if copied := found.get(name.replace("l1_", "copy_", 1)):
            found[f"{name}_of_copy"] = found[name] / copied
    return {name: round(value, 5) for name, value in found.items() if value is not None}


def rows(run: Path) -> list[dict[str, Any]]:
    """What a training has logged so far."""
    try:
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # the line that is being written
            continue
    return found


def _of_report(path: Path, wanted: Mapping[str, str]) -> dict[str, float]:
    if not wanted or not path.is_file():
        return {}
    report, found = json.loads(path.read_text(encoding="utf-8")), {}
    for name, place in wanted.items():
        value: Any = report
        for key in place.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int | float):
            found[name] = float(value)
    return found


def stages(recipe: Recipe, jobs: Sequence[Job], parts: Mapping[str, Entry]) -> list[dict[str, Any]]:
    """The report's `stages`. `met` is null where nothing was expected, or the stage is not done."""
    told = []
    for stage in recipe.stages:
        mine = [job for job in jobs if job.stage == stage.name]
        entries = {job.part.name: parts[job.part.name] for job in mine if job.part.name in parts and job.runs}
        metrics = {f"{name}/{metric}": value for name, one in entries.items() for metric, value in one.metrics.items()}
        done = all(not job.runs or (job.part.name in entries and entries[job.part.name].done) for job in mine)
        met = {name: one.met(metrics.get(name)) for name, one in stage.expected.items()}
        told.append(
            {
                "name": stage.name,
                "steps": sum(one.steps for one in entries.values()),
                "seconds": round(sum(one.seconds for one in entries.values()), 1),
                "metrics": metrics,
                "expected": {
                    name: {"value": one.value, "tolerance": one.tolerance, "better": one.better, "source": one.source}
                    for name, one in stage.expected.items()
                },
                "met": all(met.values()) if done and met else None,
                "missed": sorted(name for name, well in met.items() if not well) if done else [],
                "done": done,
                "parts": {
                    name: {"steps": one.steps, "seconds": round(one.seconds, 1)} for name, one in entries.items()
                },
                "left_out": {job.part.name: list(job.absent) for job in mine if job.absent},
            }
        )
    return told


def checksums(release: Path) -> dict[str, str]:
    """SHA-256 of the weights of a release."""
    return {path.name: files.sha256(path) for path in sorted(release.glob("*.safetensors"))}


def left(
    jobs: Sequence[Job],
    parts: Mapping[str, Entry],
    now: str = "",
    running: float = 0.0,
    rate: float = 0.0,
    step: int = 0,
) -> float:
    """Seconds that are left, about: what the recipe says, at the pace of what is done so far.

    Args:
      now: the part that runs, `running` seconds in all its starts, at `step` with `rate` steps a second where known.
    """
    mine = [job.part for job in jobs if job.runs]
    done = [part for part in mine if part.name in parts and parts[part.name].done and part.name != now]
    planned = sum(part.seconds for part in done)
    pace = sum(parts[part.name].seconds for part in done) / planned if planned else 1.0
    pace = min(max(pace, _PACE[0]), _PACE[1])
    names = {part.name for part in done}
    total = 0.0
    for part in mine:
        if part.name in names:
            continue
        if part.name != now:
            total += pace * part.seconds
        elif rate > 0 and math.isfinite(rate):
            total += (part.steps - step) / rate
        else:
            total += max(pace * part.seconds - running, 0.0)
    return total
