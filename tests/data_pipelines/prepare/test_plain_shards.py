"""Shards written anew hold the same records, and a disk without room is an error that leaves them as they were."""

import os
import resource

import numpy as np
import pytest

from data_pipelines.prepare import plain_shards

array_record_module = pytest.importorskip("array_record.python.array_record_module")


@pytest.fixture
def shard(tmp_path):
    rng = np.random.default_rng(0)
    records = [rng.integers(0, 256, 40_000, np.uint8).tobytes() for _ in range(5)] + [b"a" * 40_000]
    path = tmp_path / "x-train.array_record-00000-of-00001"
    writer = array_record_module.ArrayRecordWriter(os.fspath(path), "group_size:1")
    for record in records:
        writer.write(record)
    writer.close()
    return path, records


def _read(path):
    reader = array_record_module.ArrayRecordReader(os.fspath(path))
    return [reader.read([i])[0] for i in range(reader.num_records())], reader.writer_options_string()


def test_the_records_stay_and_the_compression_goes(shard):
    path, records = shard
    plain_shards.store(path.parent)
    found, options = _read(path)
    assert found == records
    assert "uncompressed" in options
    once = path.read_bytes()
    plain_shards.store(path.parent)
    assert path.read_bytes() == once  # the same bytes whatever was there before


def test_no_room_leaves_the_shard_as_it_was(shard):
    path, records = shard
    before = path.read_bytes()
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, usual[1]))
    try:
        with pytest.raises(OSError, match="written"):
            plain_shards.store(path.parent)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]
