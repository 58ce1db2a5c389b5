"""Reads latents caches (`data_pipelines.prepare.latents` writes them): motion, audio and labels, one npz a data set."""

import functools
import pathlib
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from data_pipelines import schema
from data_pipelines.integrity import NoSplit
from vasa_jax import conditions
from vasa_jax.errors import InputError

_SHAPES = {"motion": None, "mouth": (2,), "valid": ()}
"""Arrays with one row a frame -> shape of a row; None: any."""
_KEYS = (*_SHAPES, "audio", "offsets", "clip_id", "speaker", "split", "motion_mean", "motion_std")


def find(data_dir: str | pathlib.Path, name: str) -> pathlib.Path:
    """Where the cache of a data set lies: in data_dir or in its sub-folder latents."""
    path = pathlib.Path(data_dir) / f"{name}.npz"
    return path if path.exists() or path.parent.name == "latents" else path.parent / "latents" / path.name


class LatentSplit:
    """One split of a latents cache, in memory; splits of one file share it.

    Attributes:
      arrays: those of the file, frames of all clips one after another.
      told: names of the conditions that it is read for, in the order of `vasa_jax.conditions`.
      conditions: their values side by side as they are stored, [n, conditions.width(told)].
      speakers, clip_ids: one entry a clip of the split.

    Raises:
      NoSplit: it holds nothing of the split.
      InputError: there is no such file, or it is damaged, or its parts do not fit together.
    """

    def __init__(self, path: pathlib.Path, split: str, told: Sequence[str] = conditions.PAPER):
        path = pathlib.Path(path)
        command = "python -m experiments.prepare --stage=latents --input=DATA --checkpoint=DIR"
        command += f" --name={path.stem} --output={path.parent}"
        if not path.exists():
            raise InputError(f"{path}: no latents there; make them with: {command}")
        try:
            status = path.stat()
            self.told = tuple(one.name for one in conditions.told(told))
            self.arrays, self.conditions = _load(str(path), status.st_mtime_ns, status.st_size, self.told)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{path}: not a whole latents cache ({error}); make it again with: {command}") from error
        chosen = np.flatnonzero(self.arrays["split"] == split)
        if not len(chosen):
            raise NoSplit(f"{path}: no split {split!r}; it has {', '.join(np.unique(self.arrays['split']))}")
        self._clips = chosen
        self.speakers = self.arrays["speaker"][chosen].tolist()
        self.clip_ids = self.arrays["clip_id"][chosen].tolist()

    def __len__(self) -> int:
        return len(self._clips)

    def frames(self, index: int) -> range:
        """Where the frames of a clip lie in the arrays."""
        first, end = self.arrays["offsets"][self._clips[index] : self._clips[index] + 2]
        return range(int(first), int(end))


@functools.lru_cache(maxsize=4)
def _load(path: str, modified: int, size: int, told: tuple[str, ...]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads all arrays (zip keeps a CRC-32 of each: a flipped bit is a BadZipFile) and checks that they agree."""
    del modified, size  # of the key: a file that was made again is read again
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    _check(arrays, conditions.told(told))
    for array in arrays.values():
        array.flags.writeable = False  # shared by all splits
    rows = len(arrays["motion"])
    return arrays, np.concatenate([arrays[name].astype(np.float32).reshape(rows, -1) for name in told], 1)


def statistics_of(told: Iterable[conditions.Condition]) -> list[str]:
    """Names of the numbers that conditions are standardised with."""
    return [f"{one.name}_{kind}" for one in told if one.standardised for kind in ("mean", "std")]


def _check(arrays: Mapping[str, np.ndarray], told: Sequence[conditions.Condition]) -> None:
    shapes = _SHAPES | {one.name: one.shape for one in told}
    if missing := [name for name in dict.fromkeys((*_KEYS, *shapes, *statistics_of(told))) if name not in arrays]:
        raise ValueError(f"no {', '.join(missing)} in it")
    offsets, frames = arrays["offsets"], len(arrays["motion"])
    if offsets[0] != 0 or offsets[-1] != frames or (np.diff(offsets) <= 0).any():
        raise ValueError(f"its clips do not cover its {frames} frames")
    clips = {name: len(arrays[name]) for name in ("clip_id", "speaker", "split")}
    if set(clips.values()) != {len(offsets) - 1}:
        raise ValueError(f"{len(offsets) - 1} clips, but {clips}")
    for name, row in shapes.items():
        shape = arrays[name].shape
        if shape[:1] != (frames,) or row is not None and shape[1:] != row:
            raise ValueError(f"{name} has shape {shape} for {frames} frames")
    if arrays["audio"].shape != (frames * schema.SAMPLES_PER_FRAME,):
        raise ValueError(f"{len(arrays['audio'])} samples for {frames} frames")
    if not np.isfinite(arrays["motion"]).all():
        raise ValueError("its motion is not finite")
