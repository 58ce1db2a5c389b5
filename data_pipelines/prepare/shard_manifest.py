"""Counts and checksums of a data set's shards: a shard cut short or with a flipped bit must not pass unseen."""

import json
import pathlib

from vasa_jax import files
from vasa_jax.errors import InputError

NAME = "manifest.json"


def write(directory: str | pathlib.Path, counts: dict[str, int]) -> dict:
    """Writes the manifest of a TFDS version folder.

    Args:
      directory: where the shards lie.
      counts: split -> number of examples.
    """
    shards = {path.name: files.fingerprint(path) for path in sorted(pathlib.Path(directory).glob("*.array_record-*"))}
    manifest = {"schema": 1, "examples": counts, "shards": shards}
    files.write_json(pathlib.Path(directory) / NAME, manifest)
    return manifest


def check(directory: str | pathlib.Path, checksums: bool = False) -> None:
    """Raises InputError if a shard of the manifest is missing or of another size (or, if asked, another checksum)."""
    directory = pathlib.Path(directory)
    if not (directory / NAME).exists():
        return
    for name, entry in json.loads((directory / NAME).read_text())["shards"].items():
        path = directory / name
        if files.damage(path, entry, checksum=False):
            raise InputError(f"{path}: shard missing or cut short; make the data set again with --overwrite")
        if checksums and files.damage(path, entry):
            raise InputError(f"{path}: shard damaged (checksum differs); make the data set again with --overwrite")
