"""A recipe's parts as commands: which run, which are left out, and what each is made from. Nothing runs here.

jobs = plan(recipe, workdir, sources={"grid": Path("/videos/GRID")}, prepared=Path("/data"))
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.common import tasks
from experiments.recipes import part_config
from experiments.recipes.reading import DataSet, Part, Recipe, fill
from vasa_jax.errors import InputError, UserError

ASSETS = Path(tasks.__file__).parents[1] / "vasa_jax" / "assets"


@dataclasses.dataclass(frozen=True)
class Job:
    """A part at its place.

    Attributes:
      command: module and flags; none where nothing is to be run.
      config: what `part_config` builds, to be written before the command runs.
      product: that has to be there when it is done.
      numbers: what it is made from, flat: name -> value.
      after: parts whose products go in.
      link: a prepared data set that stands in for it.
      absent: what it needs and is not there: it is left out.
      notes: to be said before it runs.
    """

    part: Part
    stage: str
    command: list[str]
    config: dict[str, Any] | None
    product: Path
    numbers: dict[str, Any]
    after: tuple[str, ...]
    link: Path | None = None
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        return not self.absent and self.link is None


def find_sources(recipe: Recipe, data: Path | None, where: Mapping[str, str]) -> dict[str, Path]:
    """Data set -> where it lies, of those that are there.

    Args:
      data: the folder of --data.
      where: data set -> place, given by flag.
    """
    found = {}
    for name, place in where.items():
        if name not in recipe.sets:
            raise InputError(f"--where={name}=...: {recipe.path} has no data set {name!r}")
        if not Path(place).exists():
            raise InputError(f"--where={name}={place} is not there; correct the path")
        found[name] = Path(place)
    for name, one in recipe.sets.items():
        matches = sorted(data.glob(one.path)) if data is not None and name not in found else []
        found |= {name: matches[0]} if matches else {}
    return found


def missing(recipe: Recipe, sources: Mapping[str, Path], prepared: Path | None) -> tuple[dict[str, DataSet], set[str]]:
    """The data sets that parts of this budget need, and that are neither there nor prepared already.

    Returns:
      (those data sets, the names of those without which nothing is begun).
    """
    parts = [part for part in recipe.parts if prepared_set(part, prepared) is None]
    needed = {name: part.required for part in sorted(parts, key=lambda part: part.required) for name in part.needs}
    absent = {name: one for name, one in recipe.sets.items() if name in needed and name not in sources}
    return absent, {name for name in absent if needed[name]}


def prepared_set(part: Part, folder: Path | None) -> Path | None:
    """Where the data set that a part makes lies ready: FOLDER/NAME/SIZE."""
    if folder is None or part.gives is None or part.gives.startswith("latents/"):
        return None
    place = folder / part.gives
    return place if any("incomplete" not in str(found) for found in place.glob("*/dataset_info.json")) else None


def plan(
    recipe: Recipe, workdir: Path, sources: Mapping[str, Path], prepared: Path | None, processes: int = 2
) -> list[Job]:
    """Every part of the recipe, in order.

    Raises:
      InputError: a configuration or a field does not exist, or no data is left for a part.
    """
    places = {part.name: workdir / part.name for part in recipe.parts}
    places |= {"work": workdir, "data": workdir / "data", "assets": ASSETS, "processes": processes} | dict(sources)
    jobs: list[Job] = []
    left_out: set[str] = set()
    given: set[str] = set()
    for stage in recipe.stages:
        for part in stage.parts:
            try:
                job = _job(recipe, stage.name, part, places, given)
            except UserError as error:
                raise type(error)(f"{recipe.path}: {stage.name}.{part.name}: {error}") from error
            after = tuple(before.part.name for before in jobs if _goes_into(before.part, part))
            lacking = tuple(name for name in part.needs if name not in (given if "/" in name else sources))
            if gone := part.named() & left_out:
                raise InputError(f"{recipe.path}: {part.name} uses {sorted(gone)[0]}, which lacks a data set")
            if link := prepared_set(part, prepared):
                job = dataclasses.replace(job, link=link)
            elif lacking:
                job = dataclasses.replace(job, absent=lacking)
                left_out.add(part.name)
            jobs.append(dataclasses.replace(job, after=after))
            given |= {part.gives} if part.gives and not job.absent else set()
    return jobs


def _goes_into(before: Part, part: Part) -> bool:
    """Whether a part's product may go into a later one: it is named, or lies in the folder of data."""
    return before.name in part.named() or before.gives is not None


def _job(recipe: Recipe, stage: str, part: Part, places: Mapping[str, Any], given: set[str]) -> Job:
    work = places["work"]
    config, notes = _config(recipe, part, given) if part.config else (None, ())
    flags = dict(part.flags)
    if part.trains:
        flags |= {"config": "{part_config}", "workdir": f"{{{part.name}}}"}
    elif config:
        flags |= {"face_config": "{part_config}"}
    if part.metrics:
        flags |= {"report": f"{{work}}/reports/{part.name}.json"}
    numbers = {"command": part.module} | {f"--{name}": value for name, value in flags.items()}
    if config:
        fields = json.loads(_built(config).to_json_best_effort())
        numbers |= {f"config.{name}": value for name, value in _flat(fields).items()}
        config = config | {"set": fill(config["set"], places)}
    at = f"{part_config.__file__}:{work / 'parts' / part.name}.json"
    words = [_word(name, fill(value, dict(places) | {"part_config": at})) for name, value in flags.items()]
    if part.trains:
        product = places[part.name] / "checkpoints" / str(part.steps)
    elif part.gives and part.gives.startswith("latents/"):
        product = places["data"] / f"{part.gives}.npz"
    elif part.gives:
        product = places["data"] / part.gives
    else:
        product = Path(str(fill(part.flags.get("output", work), places)))
    return Job(part, stage, [part.module, *words], config, product, numbers, (), notes=notes)


def _config(recipe: Recipe, part: Part, given: set[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What `part_config.build` takes, texts not filled in, and what is to be said about it."""
    fields = dict(part.set)
    if part.trains:
        fields = {"data.dir": "{data}"} | fields | {"steps": part.steps}
    about = {"config": part.config, "set": fields, "quick": recipe.budget == "quick"}
    config = _built(about)
    if part.trains:
        tasks.checked(config)
    if "mixture" not in config.data:
        return about, ()
    mixture = config.data.mixture.to_dict()
    there = {name: share for name, share in mixture.items() if _is_given(name, config, given)}
    if not there:
        size = _size(config)
        raise InputError(f"nothing of its mixture ({', '.join(mixture)}) is made before it at the size {size}")
    if there == mixture:
        return about, ()
    about["set"] = fields | {"data.mixture": there}
    gone = ", ".join(name for name in mixture if name not in there)
    return about, (f"{part.name} does without {gone}: the shares of the others are {there}",)


def _built(about: Mapping[str, Any]) -> Any:
    return part_config.build(**about)


def _size(config: Any) -> str:
    from data_pipelines import schema

    if config.task == "motion":
        return "of the latents"
    sizes = {resolution: name for name, resolution in schema.RESOLUTIONS.items()}
    return sizes.get(config.model.size, str(config.model.size))


def _is_given(name: str, config: Any, given: set[str]) -> bool:
    return (f"latents/{name}" if config.task == "motion" else f"{name}/{_size(config)}") in given


def _word(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no{name}"
    return f"--{name}={','.join(map(str, value))}" if isinstance(value, list) else f"--{name}={value}"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Tables in tables as one, "a.b" -> value."""
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return flat


def digest(job: Job, digests: Mapping[str, str]) -> str:
    """SHA-256 of what a job is made from: its own numbers, and the same of the parts that go into it."""
    before = {name: digests[name] for name in job.after if name in digests}
    return hashlib.sha256(json.dumps([job.numbers, before], sort_keys=True).encode()).hexdigest()


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Sequence[str]:
    """What differs, as "optimizer.lr was 0.001, is 0.002"."""
    return [
        f"{name.removeprefix('config.')} was {before.get(name)}, is {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
