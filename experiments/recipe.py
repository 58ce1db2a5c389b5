"""Makes weights from nothing: runs a recipe, a file that lists the stages from raw data to a release.

    python -m experiments.recipe --recipe=experiments/recipes/bundled.toml --data=D --workdir=W --budget=cpu

Run the same command again to go on. docs/recipe.md says what a recipe is, and where its data sets are fetched.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import files
from vasa_jax.errors import EXIT_OK, EXIT_PREEMPTED, InputError, UsageError

_RECIPE = flags.DEFINE_string("recipe", None, "The recipe, a TOML file, such as experiments/recipes/bundled.toml.")
_DATA = flags.DEFINE_string("data", None, "Folder of the data sets that the recipe asks for, as fetched, or prepared.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the runs, the prepared data, the release and the record.")
_BUDGET = flags.DEFINE_enum("budget", "cpu", ["cpu", "gpu"], "Whose numbers of the recipe count.")
_QUICK = flags.DEFINE_bool("quick", False, "All of it in minutes: small networks, few steps, drawn data.")
_WHERE = flags.DEFINE_multi_string("where", [], "NAME=PATH of a data set that does not lie in --data")
_REDO = flags.DEFINE_bool("redo", False, "Make again, deleting what was made, the parts whose numbers have changed.")
_STOP = flags.DEFINE_float(
    "stop_after_minutes", None, "Save and leave with exit code 42 after so long; run again to go on.", 0.0
)
_PROCESSES = flags.DEFINE_integer("processes", os.cpu_count() or 1, "Processes that prepare and draw data.", 1)


def _prepared(data: str | None, fetches: bool) -> Path | None:
    if data is None:
        if fetches:
            raise UsageError("--data is missing; name the folder of the data sets (docs/recipe.md)")
        return None
    if not Path(data).is_dir():
        raise InputError(f"--data={data} is no folder; name the folder of the data sets (docs/recipe.md)")
    return Path(data)


def _where() -> dict[str, str]:
    found = {}
    for text in _WHERE.value:
        name, equals, place = text.partition("=")
        if not equals:
            raise UsageError(f"--where={text}: give NAME=PATH")
        found[name] = place
    return found


def _check_missing(recipe: Any, absent: dict[str, Any], fatal: set[str]) -> None:
    """Refuses where a data set of a required part is missing; says what the absence of others costs."""
    said = {name: f"{name} (without it: {one.without}; fetch: {one.fetch})" for name, one in absent.items()}
    if fatal:
        places = ", ".join(one.path for name, one in absent.items() if name in fatal)
        raise InputError(
            f"{recipe.path} needs what is not in --data={_DATA.value}: "
            f"{'; '.join(text for name, text in said.items() if name in fatal)}; put it there as {places}, or name it "
            "with --where=NAME=PATH"
        )
    for text in said.values():
        print(f"missing: {text}")


def main() -> tuple[int, dict[str, Any]]:
    for flag in (_RECIPE, _WORKDIR):
        if not flag.value:
            raise UsageError(f"--{flag.name} is missing; see --help")
    from experiments.recipes import planning, reading, running

    recipe = reading.read(_RECIPE.value, "quick" if _QUICK.value else _BUDGET.value)
    workdir, where = Path(_WORKDIR.value).absolute(), _where()
    prepared = _prepared(_DATA.value, any(part.needs for part in recipe.parts) and not where)
    sources = planning.find_sources(recipe, prepared, where)
    absent, fatal = planning.missing(recipe, sources, prepared)
    _check_missing(recipe, absent, fatal)
    jobs = planning.plan(recipe, workdir, sources, prepared, _PROCESSES.value)
    deadline = None if _STOP.value is None else time.monotonic() + 60 * _STOP.value
    environment = running.QUICK_ENVIRONMENT if _QUICK.value else {}
    record, finished = running.run(jobs, workdir, deadline, environment, _REDO.value)
    report = _report(recipe, jobs, record, absent, finished)
    return EXIT_OK if finished else EXIT_PREEMPTED, report


def _report(recipe: Any, jobs: list[Any], record: Any, absent: dict[str, Any], finished: bool) -> dict[str, Any]:
    from experiments.recipes import telling
    from vasa_jax.training import manifest

    stages = telling.stages(recipe, jobs, record.parts)
    for stage in stages:
        verdict = {True: "as expected", False: f"not as expected: {', '.join(stage['missed'])}", None: ""}[stage["met"]]
        print(f"{stage['name']}: {stage['steps']:,} steps, {stage['seconds']:.0f} s {verdict}".rstrip())
    releases = [job.product for job in jobs if job.part.module == "experiments.export" and job.stage == "release"]
    return {
        "command": ["vasa-recipe", *sys.argv[1:]],
        "recipe": str(recipe.path),
        "recipe_sha256": files.sha256(recipe.path),
        "budget": recipe.budget,
        "finished": finished,
        "stages": stages,
        "missing": {name: one.without for name, one in absent.items()},
        "release": {str(path): telling.checksums(path) for path in releases if path.is_dir()},
        "seconds": round(sum(one.seconds for one in record.parts.values()), 1),
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "versions": manifest.versions(),
        "device": manifest.devices() | {"cores": len(os.sched_getaffinity(0))},
        "commit": manifest.commit(),
    }


HELP = app.Help(
    example="--recipe=experiments/recipes/bundled.toml --data=data --workdir=runs/bundled",
    groups={
        "the recipe": (_RECIPE, _BUDGET, _QUICK),
        "where": (_DATA, _WORKDIR, _WHERE),
        "going on": (_STOP, _REDO),
        "who works": (_PROCESSES,),
    },
)


def run() -> None:
    """The console script vasa-recipe."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
