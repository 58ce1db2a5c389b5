import platform
import subprocess
import sys

import numpy as np
import pytest
from array_record.python import array_record_module

from data_pipelines import records, schema
from data_pipelines.prepare import shard_manifest
from vasa_jax.errors import InputError


def test_reads_what_was_written(data_dir):
    split = records.RecordSplit(records.find_dataset(data_dir, "alpha"), "train")
    assert len(split) == 10 and sorted(split.clip_ids) == sorted(f"a{i}" for i in range(10))
    for i in range(len(split)):
        clip = split[i]
        number = int(clip.clip_id[1:])
        assert (clip.clip_id, clip.speaker, len(clip)) == (split.clip_ids[i], split.speakers[i], split.lengths[i])
        assert len(clip) == 12 + number and clip.audio.shape == (len(clip) * schema.SAMPLES_PER_FRAME,)
        np.testing.assert_allclose(clip.image(4)[0, 0], (10 * number + 5, 17, 128), atol=3)  # loss of JPEG
        for name, (shape, dtype) in schema.PER_FRAME.items():
            assert clip.labels[name].shape == (len(clip), *shape) and clip.labels[name].dtype == dtype
        assert (clip.labels["phonemes"] == -1).all() and not clip.labels["valid"][1] and clip.labels["valid"][2]


def test_same_as_tfds_reads(data_dir):
    split = records.RecordSplit(records.find_dataset(data_dir, "beta"), "train", cache_bytes=0)
    for i in range(2):
        raw = split._readers[0].read([i])[0]
        theirs, ours = schema.features().deserialize_example_np(raw), records.parse_example(raw)
        np.testing.assert_array_equal(theirs["audio"], ours.audio)
        assert [bytes(j) for j in ours.jpeg] == list(theirs["frames"])
        for name, value in ours.labels.items():
            np.testing.assert_array_equal(theirs[name], value)


def test_index_file_gives_the_same(data_dir):
    folder = records.find_dataset(data_dir, "alpha")
    first = records.RecordSplit(folder, "test")
    assert (folder / "index-test.json").exists()
    assert records.RecordSplit(folder, "test").clip_ids == first.clip_ids


def test_cache_keeps_to_its_size(data_dir):
    split = records.RecordSplit(records.find_dataset(data_dir, "beta"), "train", cache_bytes=1)
    assert [split[i].clip_id for i in (0, 1, 0)] == [split.clip_ids[i] for i in (0, 1, 0)]
    assert not split._cache
    size = len(split._readers[0].read([0])[0])
    split = records.RecordSplit(records.find_dataset(data_dir, "beta"), "train", cache_bytes=int(1.5 * size))
    assert [split[i].clip_id for i in (0, 1, 0)] == [split.clip_ids[i] for i in (0, 1, 0)]
    assert len(split._cache) == 1


def test_missing_data_set_names_its_command(tmp_path):
    with pytest.raises(InputError, match=r"experiments.prepare .*--name=grid"):
        records.find_dataset(tmp_path, "grid")


def test_missing_split_names_those_there(data_dir):
    with pytest.raises(InputError, match="it has test, train"):
        records.RecordSplit(records.find_dataset(data_dir, "alpha"), "unseen")


def test_several_configurations_ask_for_one(data_dir, tmp_path):
    for config in ("tiny_64", "small_128"):
        (tmp_path / "x" / config / "1.0.0").mkdir(parents=True)
        (tmp_path / "x" / config / "1.0.0" / "dataset_info.json").write_text("{}")
    with pytest.raises(InputError, match="several"):
        records.find_dataset(tmp_path, "x")
    assert records.find_dataset(tmp_path, "x", "tiny_64").parent.name == "tiny_64"
    assert records.find_dataset(tmp_path, "x/small_128").parent.name == "small_128"


def test_newest_version_is_read(tmp_path):
    for version in ("1.9.0", "1.10.0"):
        (tmp_path / "x" / "c" / version).mkdir(parents=True)
        (tmp_path / "x" / "c" / version / "dataset_info.json").write_text("{}")
    assert records.find_dataset(tmp_path, "x").name == "1.10.0"


def test_cut_shard_is_noticed(tmp_path):
    shard = tmp_path / "x-train.array_record-00000-of-00001"
    shard.write_bytes(b"0123456789")
    shard_manifest.write(tmp_path, {"train": 1})
    shard_manifest.check(tmp_path, checksums=True)
    shard.write_bytes(b"0123456780")
    with pytest.raises(InputError, match="damaged"):
        shard_manifest.check(tmp_path, checksums=True)
    shard.write_bytes(b"01234")
    with pytest.raises(InputError, match="cut short"):
        records.RecordSplit(tmp_path, "train")


FAULTS = """
import resource, sys, pathlib
from array_record.python import array_record_module
from data_pipelines import records

reader = array_record_module.ArrayRecordReader(sys.argv[1], options="readahead_buffer_size:0")

def faults():
    reader.read([0])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for i in range(20):
        reader.read([i % 4])
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

without = faults()
records.RecordSplit(pathlib.Path(sys.argv[2]), "train")
print(without, faults())
"""


def test_memory_of_a_record_serves_the_next(data_dir, tmp_path):
    """Page faults cost more than reading. Counted in a process of its own: threads of other tests make faults too."""
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("the C library is not glibc")
    path = tmp_path / "x.array_record"
    writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    for _ in range(4):
        writer.write(np.random.default_rng(0).bytes(1_200_000))
    writer.close()
    words = [sys.executable, "-c", FAULTS, str(path), str(records.find_dataset(data_dir, "beta"))]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    without, kept = map(int, said.split())
    assert kept <= without / 4  # measured for 20 records: 17,000 without, 10 with the switch
