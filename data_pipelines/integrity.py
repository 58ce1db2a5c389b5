"""Is a split whole? Checks made before anything is read from it, so that nothing is lost silently.

An ArrayRecord file that was cut short opens as if it held no records, without an error: only counts kept elsewhere
tell. There are three of them, and every one that is there is checked: the shards' own names (-00003-of-00008), the
manifest (sizes and counts, `data_pipelines.prepare.shard_manifest`), and the shard lengths that TFDS keeps.
"""

import json
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from data_pipelines.prepare import shard_manifest
from vasa_jax import files
from vasa_jax.errors import InputError


class NoSplit(InputError):
    """A data set, or a latents cache, holds nothing of the split that was asked for."""


_REMEDY = "copy it again, or make the data set again with --overwrite"


def find_shards(folder: pathlib.Path, split: str) -> list[pathlib.Path]:
    """The shards of a split in order.

    Raises:
      NoSplit: there is no such split.
      InputError: a shard is missing or was cut short.
    """
    manifest = _read_json(folder / shard_manifest.NAME)
    if manifest != {}:
        _wellformed(folder, manifest)
        shard_manifest.check(folder)
    paths = sorted(folder.glob(f"*-{split}.array_record-*"))
    if not paths:
        known = sorted({p.name.split(".array_record")[0].rsplit("-", 1)[-1] for p in folder.glob("*.array_record-*")})
        raise NoSplit(f"{folder}: no split {split!r}; it has {', '.join(known) or 'none'}")
    total = int(_place(paths[0])[1])
    missing = sorted(set(range(total)) - {_place(path)[0] for path in paths})
    if missing:
        name = re.sub(r"-\d+-of-", f"-{missing[0]:05d}-of-", paths[0].name)
        raise InputError(f"{folder / name}: missing ({len(missing)} of {total} shards are); {_REMEDY}")
    return paths


def check_counts(folder: pathlib.Path, split: str, paths: Sequence[pathlib.Path], counts: Sequence[int]) -> None:
    """Compares the records found in each shard with what was written.

    Raises:
      InputError: a count differs; the message names the shard where that is known.
    """
    lengths = _tfds_lengths(folder, split)
    if len(lengths) != len(paths):  # not written by TFDS, or by one that keeps no lengths
        lengths = counts
    for path, found, written in zip(paths, counts, lengths, strict=True):
        if found != written:
            raise InputError(f"{path}: {found} records, {written} were written; {_REMEDY}")
    written = _read_json(folder / shard_manifest.NAME).get("examples", {}).get(split)
    if written is not None and sum(counts) != written:
        raise InputError(
            f"{folder}: split {split} has {sum(counts)} records, {written} were written (found in its shards, in "
            f"order: {', '.join(map(str, counts))}); {_REMEDY}"
        )


def check_sums(folder: pathlib.Path, paths: Sequence[pathlib.Path]) -> None:
    """Compares the SHA-256 of shards with the manifest; reads every byte (seconds a gigabyte).

    Raises:
      InputError: a shard differs, or there is no manifest to compare with.
    """
    shards = _read_json(folder / shard_manifest.NAME).get("shards", {})
    for path in paths:
        if path.name not in shards:
            raise InputError(f"{folder / shard_manifest.NAME}: no checksum of {path.name}; read without checksums")
        if files.damage(path, shards[path.name]):
            raise InputError(f"{path}: damaged (its SHA-256 is not that of the manifest); {_REMEDY}")


def _place(path: pathlib.Path) -> tuple[int, int]:
    """(3, 8) of x.array_record-00003-of-00008; a file without such an ending stands alone."""
    found = re.search(r"-(\d+)-of-(\d+)$", path.name)
    return (int(found[1]), int(found[2])) if found else (0, 1)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); {_REMEDY}") from error


def _wellformed(folder: pathlib.Path, manifest: Any) -> None:
    try:
        for entry in manifest["shards"].values():
            int(entry["bytes"]), str(entry["sha256"])
        dict(manifest["examples"])
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise InputError(f"{folder / shard_manifest.NAME}: not a manifest ({error!r}); {_REMEDY}") from error


def _tfds_lengths(folder: pathlib.Path, split: str) -> list[int]:
    """Records of each shard as TFDS noted them; none where it has not."""
    for entry in _read_json(folder / "dataset_info.json").get("splits", []):
        if entry.get("name") == split:
            return [int(length) for length in entry.get("shardLengths", [])]
    return []
