"""What is told (`vasa_jax.conditions`) changing while the face speaks: from a CSV file.

    seconds,gaze_theta,gaze_phi,happiness
    0,0,0,0
    2.5,0.3,-0.1,0
    4,0.3,-0.1,0.8

The first column is `seconds` or `frame` (25 a second) and rises; the others are any of `columns()`, with the units of
the flags of the same name. Values between two rows lie on the line between them; the first row also holds before it,
the last one after it. What has no column stays as the flags say.
"""

import csv
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax import conditions
from vasa_jax.errors import InputError
from vasa_jax.media import FPS, MAX_SECONDS
from vasa_jax.paths import PathLike, check_file

TIMES = {"seconds": float(FPS), "frame": 1.0}
"""Name of the first column -> frames in one of it."""


def columns() -> dict[str, float]:
    """Name of a column -> limit of its values, either way."""
    return {column: one.limit for one in conditions.told() for column in one.columns}


def read(path: PathLike) -> dict[str, Float[np.ndarray, " t"]]:
    """Column -> its value in every frame up to the last row.

    Raises:
      InputError: not such a file; the message names the line and what is wrong there.
    """
    path = check_file(path, "a CSV file of gaze, distance or emotion over time")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(k, row) for k, row in enumerate(csv.reader(file), 1) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file ({error}); see docs/generate.md for what it holds") from None
    names = _header(path, lines[0][1] if lines else [])
    rows = np.asarray([_numbers(f"{path}, line {k}", row, names) for k, row in lines[1:]])
    if not len(rows):
        raise InputError(f"{path} has a header and no rows; give at least one")
    at = rows[:, 0] * TIMES[names[0]]
    if (np.diff(at) <= 0).any():
        k = lines[2 + int(np.argmax(np.diff(at) <= 0))][0]
        raise InputError(f"{path}, line {k}: {names[0]} does not rise; sort the rows and remove doubles")
    if at[0] < 0 or at[-1] > MAX_SECONDS * FPS:
        raise InputError(f"{path}: {names[0]} must lie between 0 and {MAX_SECONDS * FPS / TIMES[names[0]]:g}")
    frames = np.arange(math.floor(at[-1]) + 2)
    return {
        name: np.interp(frames, at, column).astype(np.float32)
        for name, column in zip(names[1:], rows.T[1:], strict=True)
    }


def merge(wanted: Mapping[str, Any], path: PathLike | None) -> dict[str, Any]:
    """Arguments of `Controls` with the tracks of a file in the place of constants; as they are without a file."""
    if path is None:
        return dict(wanted)
    track, merged = read(path), dict(wanted)
    for one in conditions.told():
        still, moving = merged.get(one.name, one.nothing), {name: track[name] for name in one.columns if name in track}
        if one.named:
            merged[one.name] = {**still, **moving}
        elif moving and one.width == 1:
            (merged[one.name],) = moving.values()
        elif moving:
            columns = [moving.get(name, value) for name, value in zip(one.columns, still, strict=True)]
            merged[one.name] = np.stack(np.broadcast_arrays(*columns), -1)
    return merged


def _header(path: PathLike, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if not names or names[0] not in TIMES:
        raise InputError(f"{path}: the first column must be called {' or '.join(TIMES)}")
    for name in names[1:]:
        if name not in columns():
            raise InputError(f"{path}: column {name!r} is unknown; there are {', '.join(columns())}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError(f"{path}: give columns beside {names[0]}, each once: {', '.join(columns())}")
    return names


def _numbers(where: str, row: list[str], names: list[str]) -> list[float]:
    if len(row) != len(names):
        raise InputError(f"{where}: {len(row)} values for {len(names)} columns")
    values = []
    for cell, name in zip(row, names, strict=True):
        try:
            value = float(cell)
        except ValueError:
            raise InputError(f"{where}: {name} {cell.strip()!r} is no number") from None
        limit = columns().get(name)
        if limit is not None and not abs(value) <= limit:  # NaN is not below anything
            raise InputError(f"{where}: {name} {value:g}; give a value from {-limit:g} to {limit:g}")
        if not math.isfinite(value):
            raise InputError(f"{where}: {name} {value:g} is no time")
        values.append(value)
    return values
