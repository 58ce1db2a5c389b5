"""What a face model's generator is given, stored: folders of arrays, one row an item (`prepare --stage=generator`)."""

import functools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from vasa_jax.errors import InputError

_ABOUT = "about.json"
_OLD = {"picture": "image"}
"""Arrays that older folders call otherwise."""


class GeneratorInputs:
    """Batches of stored inputs, a pure function of (seed, step): every item once before any comes again.

    Args:
      folder: of one split, as `write` made it.
      batch_size, seed: of the order.
      process_index, process_count: this host and how many there are.
    """

    def __init__(self, folder: str | pathlib.Path, batch_size: int, seed: int, process_index=0, process_count=1):
        folder = pathlib.Path(folder)
        if not (folder / _ABOUT).is_file():
            raise InputError(f"{folder}: no stored generator inputs; make them with vasa-prepare --stage=generator")
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        self.items, self.damaged = about["items"], {}
        names = {_OLD.get(name, name): name for name in about["arrays"]}
        self._arrays = {new: np.load(folder / f"{name}.npy", mmap_mode="r") for new, name in names.items()}
        self._seed, self._size = seed, batch_size
        self._rows = range(
            batch_size * process_index // process_count, batch_size * (process_index + 1) // process_count
        )

    def batch(self, step: int) -> dict[str, np.ndarray]:
        """This host's rows of the batch of a step."""
        chosen = [self._item(step * self._size + row) for row in self._rows]
        batch = {name: np.stack([array[item] for item in chosen]) for name, array in self._arrays.items()}
        return batch | {"index": np.asarray(self._rows, np.int32)}

    def _item(self, position: int) -> int:
        turn, place = divmod(position, self.items)
        return int(_order(self._seed, turn, self.items)[place])

    def iterate(self, start_step: int = 0) -> Iterator[dict[str, np.ndarray]]:
        """The batches of start_step, start_step + 1, ..."""
        step = start_step
        while True:
            yield self.batch(step)
            step += 1


@functools.lru_cache(maxsize=4)
def _order(seed: int, turn: int, items: int) -> np.ndarray:
    return np.random.default_rng([seed, turn]).permutation(items)


def write(
    folder: str | pathlib.Path,
    make: Callable[[int], dict[str, Any]],
    batches: int,
    say: Callable[[int], None] = lambda done: None,
) -> None:
    """Stores `make(0)` .. `make(batches - 1)`, batches of equal size; the folder counts once it is whole."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    for number in range(batches):
        made = {name: np.asarray(value) for name, value in make(number).items()}
        size = len(next(iter(made.values())))
        for name, value in made.items():
            if number == 0:
                shape = (batches * size, *value.shape[1:])
                path = folder / f"{name}.npy"
                arrays[name] = np.lib.format.open_memmap(path, "w+", dtype=value.dtype, shape=shape)
            arrays[name][number * size : (number + 1) * size] = value
        say(number + 1)
    for array in arrays.values():
        array.flush()
    about = {"items": batches * size, "arrays": sorted(arrays)}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
