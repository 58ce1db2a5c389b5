"""Shards without compression: the pictures in them are compressed already.

TFDS writes ArrayRecord with zstd, which makes clips of JPEG pictures 9 % smaller and five times slower to read
(`records` of the data benchmark).
"""

import os
import pathlib

from vasa_jax import files

_OPTIONS = "group_size:1,uncompressed"


def store(directory: str | pathlib.Path) -> None:
    """Writes every shard of a folder anew, the same records in the same order, one shard after another.

    Raises:
      OSError: no room for one more shard.
    """
    for path in sorted(pathlib.Path(directory).glob("*.array_record-*")):
        with files.replacing(path) as temporary:
            try:
                written = _copy(path, temporary)
            except (RuntimeError, ValueError) as error:  # what ArrayRecord makes of a full disk
                raise OSError(f"{path.name} cannot be written: {str(error).splitlines()[0]}") from error
            if not written:  # or it says nothing
                raise OSError(f"{path.name} was not written whole")


def _copy(path: pathlib.Path, target: pathlib.Path) -> bool:
    """Copies all records; whether they are there."""
    from array_record.python import array_record_module

    reader = array_record_module.ArrayRecordReader(os.fspath(path), "readahead_buffer_size:0")
    count = reader.num_records()
    writer = array_record_module.ArrayRecordWriter(os.fspath(target), _OPTIONS)
    for number in range(count):
        writer.write(reader.read([number])[0])
    writer.close()
    reader.close()
    return array_record_module.ArrayRecordReader(os.fspath(target)).num_records() == count
