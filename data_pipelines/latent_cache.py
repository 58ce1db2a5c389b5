"""Reads latents caches (`data_pipelines.prepare.latents` writes them): motion, sound and labels, one npz a data set."""

import functools
import pathlib
import zipfile
import zlib
from collections.abc import Mapping

import numpy as np

from data_pipelines import schema
from data_pipelines.integrity import NoSplit
from vasa_jax.errors import InputError

_WIDTHS = {"motion": None, "gaze": 2, "emotion": 8, "mouth": 2, "distance": 0, "valid": 0}
"""Arrays with one row a frame -> their second axis; 0: none, None: any."""
_STATISTICS = ("motion_mean", "motion_std", "distance_mean", "distance_std")
_KEYS = (*_WIDTHS, "audio", "offsets", "clip_id", "speaker", "split", *_STATISTICS)


def find(data_dir: str | pathlib.Path, name: str) -> pathlib.Path:
    """Where the cache of a data set lies: in data_dir or in its sub-folder latents."""
    path = pathlib.Path(data_dir) / f"{name}.npz"
    return path if path.exists() or path.parent.name == "latents" else path.parent / "latents" / path.name


class LatentSplit:
    """One split of a latents cache, in memory; splits of one file share it.

    Attributes:
      arrays: those of the file, frames of all clips one after another.
      conditions: gaze, distance and emotion side by side, [n, 2 + 1 + 8].
      speakers, clip_ids: one entry a clip of the split.

    Raises:
      NoSplit: it holds nothing of the split.
      InputError: there is no such file, or it is damaged, or its parts do not fit together.
    """

    def __init__(self, path: pathlib.Path, split: str):
        path = pathlib.Path(path)
        command = "python -m experiments.prepare --stage=latents --input=DATA --checkpoint=DIR"
        command += f" --name={path.stem} --output={path.parent}"
        if not path.exists():
            raise InputError(f"{path}: no latents there; make them with: {command}")
        try:
            status = path.stat()
            self.arrays, self.conditions = _load(str(path), status.st_mtime_ns, status.st_size)
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
def _load(path: str, modified: int, size: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Reads all arrays (zip keeps a CRC-32 of each: a flipped bit is a BadZipFile) and checks that they agree."""
    del modified, size  # of the key: a file that was made again is read again
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    _check(arrays)
    for array in arrays.values():
        array.flags.writeable = False  # shared by all splits
    parts = (arrays["gaze"], arrays["distance"][:, None], arrays["emotion"])
    return arrays, np.concatenate([part.astype(np.float32) for part in parts], 1)


def _check(arrays: Mapping[str, np.ndarray]) -> None:
    if missing := [name for name in _KEYS if name not in arrays]:
        raise ValueError(f"no {', '.join(missing)} in it")
    offsets, frames = arrays["offsets"], len(arrays["motion"])
    if offsets[0] != 0 or offsets[-1] != frames or (np.diff(offsets) <= 0).any():
        raise ValueError(f"its clips do not cover its {frames} frames")
    clips = {name: len(arrays[name]) for name in ("clip_id", "speaker", "split")}
    if set(clips.values()) != {len(offsets) - 1}:
        raise ValueError(f"{len(offsets) - 1} clips, but {clips}")
    for name, width in _WIDTHS.items():
        shape = arrays[name].shape
        fits = shape == (frames, *([width] if width else [])) if width is not None else shape[:1] == (frames,)
        if not fits:
            raise ValueError(f"{name} has shape {shape} for {frames} frames")
    if arrays["audio"].shape != (frames * schema.SAMPLES_PER_FRAME,):
        raise ValueError(f"{len(arrays['audio'])} samples for {frames} frames")
    if not np.isfinite(arrays["motion"]).all():
        raise ValueError("its motion is not finite")
