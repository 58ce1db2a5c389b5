"""Numbers per clip to numbers per group, and to lines for the eye."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vasa_jax.metrics import bootstrap

Row = Mapping[str, Any]


def summarise(rows: Sequence[Row], names: Iterable[str]) -> dict[str, Any]:
    """Mean and interval over the clips of every named number; a number no clip has is {"n": 0}."""
    return {name: bootstrap.mean_interval([row.get(name, np.nan) for row in rows]) for name in names}


def by_speaker(rows: Sequence[Row], reduce: Callable[[Sequence[Row]], Any]) -> dict[str, Any]:
    """{"all": ..., "speakers": {name: ...}} of rows with a "speaker"."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["speaker"], []).append(row)
    return {"all": reduce(rows), "speakers": {name: reduce(group) for name, group in sorted(groups.items())}}


def plain(value: Any) -> Any:
    """JSON has no NaN: None in its place. Arrays become lists, floats keep six digits."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value


def cell(number: Mapping[str, Any] | float | None, digits: int = 3) -> str:
    """'0.712 [0.65 0.77]' of a summary, '0.712' of a number, '-' of nothing."""
    if number is None:
        return "-"
    if isinstance(number, Mapping):
        if number["mean"] is None:
            return "-"
        text = f"{number['mean']:.{digits}f}"
        return text if number["low"] is None else f"{text} [{number['low']:.{digits}f} {number['high']:.{digits}f}]"
    return f"{number:.{digits}f}" if np.isfinite(number) else "-"


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints a table whose first column is left-aligned."""
    lines = [list(columns), *map(list, rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(columns))]
    print(f"\n{title}")
    for line in lines:
        print("  " + line[0].ljust(widths[0]) + "".join(f"  {text.rjust(w)}" for text, w in zip(line[1:], widths[1:])))
