"""A recipe as values: the file is read and checked as a whole, before any work.

    recipe = read("experiments/recipes/bundled.toml", "cpu")
    for stage in recipe.stages:
        for part in stage.parts: ...

docs/recipe.md explains the file.
"""

import dataclasses
import importlib.util
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vasa_jax.errors import InputError

STAGES = ("data", "pose", "code", "face", "motion", "release")
BUDGETS = ("cpu", "gpu", "quick")
FOLDERS = {"data", "logs", "parts", "reports"}
"""What the workdir holds beside one folder a part."""
PLACES = {"data", "work", "assets", "processes", *FOLDERS}
"""Words in braces that are neither a part nor a data set."""
_TRAIN = {"name", "train", "steps", "minutes", "set", "only", "needs", "required", *BUDGETS}
_RUN = {"name", "run", "config", "flags", "set", "minutes", "only", "needs", "required", "gives", "metrics"}.union(
    BUDGETS
)
_SET = {"path", "fetch", "without"}
_EXPECTED = {"value", "tolerance", "better", "source"}


@dataclasses.dataclass(frozen=True)
class DataSet:
    """What somebody has to fetch.

    Attributes:
      path: below --data; a pattern is allowed, the first that matches counts.
      fetch: from where.
      without: what its absence costs.
    """

    name: str
    path: str
    fetch: str
    without: str


@dataclasses.dataclass(frozen=True)
class Part:
    """One command of a stage, for one budget. Strings may hold "{NAME}", the place of a part or a data set.

    Attributes:
      module: of the command, "experiments.train".
      config: name of the configuration it is given, or None.
      steps: of training; 0 for other commands.
      seconds: that it takes, about: for what is left.
      set: fields of the configuration.
      flags: of the command.
      needs: data sets, or what an earlier part gives ("grid/small_128"), without which it is left out.
      required: whether nothing is begun where it would be left out.
      gives: "NAME/SIZE" below the folder of data, or "latents/NAME": what trains on it has that in its mixture.
      metrics: metric -> where it stands in the command's report, "mouth.generated.changes.mean".
    """

    name: str
    module: str
    config: str | None
    steps: int
    seconds: float
    set: dict[str, Any]
    flags: dict[str, Any]
    needs: tuple[str, ...]
    required: bool
    gives: str | None
    metrics: dict[str, str]

    @property
    def trains(self) -> bool:
        return self.module == "experiments.train"

    def named(self) -> set[str]:
        """The words in braces of all its values."""
        return set(re.findall(r"\{(\w+)\}", str((self.set, self.flags))))


@dataclasses.dataclass(frozen=True)
class Expected:
    """A metric's value; `better` "low" or "high" allows any better one, "" neither side."""

    value: float
    tolerance: float
    better: str
    source: str

    def met(self, measured: float | None) -> bool:
        if measured is None:
            return False
        low, high = self.value - self.tolerance, self.value + self.tolerance
        return (self.better == "low" or measured >= low) and (self.better == "high" or measured <= high)


@dataclasses.dataclass(frozen=True)
class Stage:
    """`expected`: "PART/METRIC" -> what it should be."""

    name: str
    parts: tuple[Part, ...]
    expected: dict[str, Expected]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A file, for one budget."""

    path: Path
    budget: str
    sets: dict[str, DataSet]
    stages: tuple[Stage, ...]

    @property
    def parts(self) -> list[Part]:
        return [part for stage in self.stages for part in stage.parts]


def read(path: str | Path, budget: str) -> Recipe:
    """The recipe of a file.

    Raises:
      InputError: the file is missing or wrong, in one line that says where.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--recipe={path} cannot be read ({getattr(error, 'strerror', error)})") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}") from error
    try:
        return _recipe(path, budget, table)
    except _Wrong as error:
        raise InputError(f"{path}: {error}") from error


class _Wrong(Exception):
    """What is wrong in the file."""


def _recipe(path: Path, budget: str, table: dict[str, Any]) -> Recipe:
    for name in table:
        if name not in ("about", "sets", *STAGES):
            raise _Wrong(f"unknown stage {name!r}; the stages are {', '.join(STAGES)}")
    sets = {name: _data_set(name, row) for name, row in _mapping(table.get("sets", {}), "sets").items()}
    stages = tuple(_stage(name, _mapping(table[name], name), budget) for name in STAGES if name in table)
    if not any(stage.parts for stage in stages):
        raise _Wrong(f"no stage has a part for the budget {budget}")
    recipe = Recipe(path, budget, sets, stages)
    _check_names(recipe)
    return recipe


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _Wrong(f"{where} is {value!r}, and has to be a table")
    return value


def _known(row: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in row:
        if name not in names:
            raise _Wrong(f"{where}: unknown field {name!r}; there are {', '.join(sorted(names))}")


def _of(row: Mapping[str, Any], name: str, kind: Any, where: str, default: Any = None) -> Any:
    """A field of a kind; it has to be there where there is no default."""
    if name not in row and default is not None:
        return default
    value = row.get(name)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        wanted = {str: "text", dict: "a table", list: "a list", bool: "true or false"}.get(kind, "a number")
        raise _Wrong(f"{where}: {name} is {value!r}, and has to be {wanted}")
    return value


def _data_set(name: str, row: Any) -> DataSet:
    where = f"sets.{name}"
    _known(_mapping(row, where), _SET, where)
    texts = [_of(row, field, str, where) for field in ("path", "fetch", "without")]
    return DataSet(name, *texts)


def _stage(name: str, table: dict[str, Any], budget: str) -> Stage:
    _known(table, {"part", "expected"}, name)
    rows = _of(table, "part", list, name)
    parts = [part for row in rows if (part := _part(name, _mapping(row, f"{name}.part"), budget))]
    expected = _of(table, "expected", dict, name, {})
    _known(expected, set(BUDGETS), f"{name}.expected")
    found = {}
    for metric, row in _mapping(expected.get(budget, {}), f"{name}.expected.{budget}").items():
        where = f"{name}.expected.{budget}.{metric}"
        _known(_mapping(row, where), _EXPECTED, where)
        if (better := _of(row, "better", str, where, "")) not in ("low", "high", ""):
            raise _Wrong(f"{where}: better is {better!r}; it is low, high or left out")
        numbers = [float(_of(row, field, (int, float), where)) for field in ("value", "tolerance")]
        found[metric] = Expected(*numbers, better, _of(row, "source", str, where))
        if metric.partition("/")[0] not in {part.name for part in parts}:
            raise _Wrong(f"{where}: no part {metric.partition('/')[0]!r} in the stage {name} of this budget")
    return Stage(name, tuple(parts), found)


def _part(stage: str, row: dict[str, Any], budget: str) -> Part | None:
    """A part as the budget has it; None where it has no such part."""
    name = _of(row, "name", str, f"{stage}.part")
    where = f"{stage}.{name}"
    if ("train" in row) == ("run" in row):
        raise _Wrong(f"{where}: give either train (a configuration) or run (the module of a command)")
    trains = "train" in row
    _known(row, _TRAIN if trains else _RUN, where)
    _known(steps := _of(row, "steps", dict, where, {}), set(BUDGETS), f"{where}.steps")
    _known(minutes := _of(row, "minutes", dict, where, {}), set(BUDGETS), f"{where}.minutes")
    only = _of(row, "only", list, where, list(BUDGETS))
    for other in only:
        if other not in BUDGETS:
            raise _Wrong(f"{where}: only names {other!r}; the budgets are {', '.join(BUDGETS)}")
    if budget not in only:
        return None
    changed = _of(row, budget, dict, where, {})
    _known(changed, {"set"} if trains else {"set", "flags"}, f"{where}.{budget}")
    module = "experiments.train" if trains else _of(row, "run", str, where)
    if not _exists(module):
        raise _Wrong(f"{where}: there is no command {module!r}")
    count = 0
    if trains and (count := _of(steps, budget, int, f"{where}.steps")) < 1:
        raise _Wrong(f"{where}: steps.{budget} is {count}; it must be at least 1")
    fields, given = (
        _of(row, kind, dict, where, {}) | _of(changed, kind, dict, f"{where}.{budget}", {}) for kind in ("set", "flags")
    )
    return Part(
        name=name,
        module=module,
        config=_of(row, "train" if trains else "config", str, where, "") or None,
        steps=count,
        seconds=60.0 * _of(minutes, budget, (int, float), f"{where}.minutes"),
        set=fields,
        flags=given,
        needs=tuple(_of(row, "needs", list, where, [])),
        required=_of(row, "required", bool, where, False),
        gives=_of(row, "gives", str, where, "") or None,
        metrics=_of(row, "metrics", dict, where, {}),
    )


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _check_names(recipe: Recipe) -> None:
    """Every part is named once, and names only what was made before it."""
    made: set[str] = set()
    gives: dict[str | None, None] = {}
    for part in recipe.parts:
        if part.name in made | PLACES | recipe.sets.keys() or not re.fullmatch(r"\w+", part.name):
            raise _Wrong(f"a part cannot be called {part.name!r}; take another name of letters and digits")
        for name in sorted(part.named() - made - {part.name} - PLACES - recipe.sets.keys()):
            raise _Wrong(f"{part.name}: {{{name}}} is no part before it and no data set")
        for name in part.needs:
            if name not in recipe.sets | gives:
                raise _Wrong(f"{part.name}: needs names {name!r}, which [sets] does not have and no part gives")
        made.add(part.name)
        gives |= {part.gives: None}


def fill(value: Any, places: Mapping[str, Any]) -> Any:
    """`value` with the words in braces of its texts replaced."""
    if isinstance(value, str):
        return re.sub(r"\{(\w+)\}", lambda found: str(places.get(found[1], found[0])), value)
    if isinstance(value, Mapping):
        return {name: fill(one, places) for name, one in value.items()}
    return [fill(one, places) for one in value] if isinstance(value, list | tuple) else value
