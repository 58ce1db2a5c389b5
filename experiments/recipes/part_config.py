"""The configuration of one part of a recipe, as a file that every command takes.

    vasa-train --config=experiments/recipes/part_config.py:W/parts/face.json --workdir=W/face

The JSON names a shipped configuration and the fields that the recipe sets: {"config": "face/tiny_64", "quick": false,
"set": {"optimizer.lr": 0.001, "data.mixture": {"grid": 1.0}}}.
"""

import importlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_collections

from experiments.common import shrinking
from vasa_jax.errors import InputError

CONFIGS = Path(__file__).parents[1] / "configs"
QUICK_SIZE = 64
"""Side of the images of the quick form: the smallest that the project draws."""
_QUICK = {"log_every": 1, "eval_every": 0, "checkpoint_every": 0, "batch_size": 8, "tensorboard": False}


def get_config(path: str) -> ml_collections.ConfigDict:
    """What config_flags calls with the words behind the colon."""
    return build(**json.loads(Path(path).read_text(encoding="utf-8")))


def build(config: str, set: Mapping[str, Any], quick: bool = False) -> ml_collections.ConfigDict:
    """A shipped configuration with some fields set.

    Args:
      config: name below experiments/configs, "face/small_128".
      set: field -> value; "a.b" is a field of a field. Tables replace tables, lists become tuples.
      quick: made small first (`shrinking`), evaluated and saved once, at the end.

    Raises:
      InputError: there is no such configuration or field, or a value is of another kind than the field.
    """
    folder, _, name = config.partition("/")
    if not (CONFIGS / folder / f"{name}.py").is_file():
        known = sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.glob("*/*.py"))
        raise InputError(f"no configuration {config!r}; there are {', '.join(known)}")
    built = importlib.import_module(f"experiments.configs.{folder}.{name}").get_config()
    if quick:
        shrinking.shrink(built, QUICK_SIZE)
        built.update(_QUICK | {"init_from": ""})
        built.data.eval_batches = 1
    for field, value in set.items():
        _set(built, config, field, value)
    return built


def _set(built: ml_collections.ConfigDict, config: str, field: str, value: Any) -> None:
    *path, last = field.split(".")
    node = built
    for name in path:
        node = node.get(name) if isinstance(node, ml_collections.ConfigDict) else None
    if not isinstance(node, ml_collections.ConfigDict) or (last not in node and node is not built.get("loss")):
        raise InputError(f"the configuration {config} has no field {field}")
    if isinstance(value, Mapping):
        value = ml_collections.ConfigDict(value)
    try:
        node[last] = tuple(value) if isinstance(value, list) else value
    except TypeError as error:
        raise InputError(f"{field} of {config} cannot be {value!r} ({error})") from error
