"""Damaged data: a precise error, or a counted skip that all hosts and resumes make alike; nothing is lost silently."""

import json
import logging
import shutil

import numpy as np
import pytest

from data_pipelines import clips, engines, latent_cache, records
from data_pipelines.prepare import shard_manifest
from tests.data_pipelines.conftest import write_dataset
from vasa_jax.errors import InputError

CLIPS = [(f"c{i}", f"s{i % 2}", 6) for i in range(8)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("made")
    folder = write_dataset(root, "made", {"train": CLIPS})
    shard_manifest.write(folder, {"train": len(CLIPS)})
    records.RecordSplit(folder, "train")  # leaves the index
    return root


@pytest.fixture
def root(made, tmp_path):
    """A copy to damage."""
    shutil.copytree(made, tmp_path / "data")
    return tmp_path / "data"


def _folder(root):
    return root / "made" / "tiny_64" / "1.0.0"


def _shard(root, number=0):
    return _folder(root) / f"made-train.array_record-{number:05d}-of-00002"


def _flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def _damage(root, number):
    """Flips a bit inside record `number` (of four) of the first shard."""
    path = _shard(root)
    good = path.read_bytes()
    for at in range(3000, len(good), 2000):
        _flip(path, at)
        source = records.RecordSplit(_folder(root), "train", cache_bytes=0)
        broken = [i for i in range(4) if _breaks(source, i)]
        if broken == [number]:
            return
        path.write_bytes(good)
    raise AssertionError(f"no bit of record {number} found")


def _breaks(source, i):
    try:
        source[i]
    except records.DamagedRecordError as error:
        assert error.index == i
        return True
    return False


def _stream(root, kind="pairs", **options):
    return clips.ClipStream(str(root), {"made": 1.0}, kind=kind, batch_size=8, length=3, engine="threads", **options)


@pytest.mark.parametrize("keep", [0, 10, 1000, -1])
def test_truncated_shard(root, keep):
    """ArrayRecord opens it as 0 records, without an error: the manifest knows better."""
    _shard(root).write_bytes(_shard(root).read_bytes()[:keep])
    with pytest.raises(InputError, match="made-train.array_record-00000-of-00002"):
        _stream(root)


def test_truncated_shard_without_a_manifest_but_with_tfds_lengths(root):
    (_folder(root) / shard_manifest.NAME).unlink()
    lengths = {"splits": [{"name": "train", "shardLengths": ["4", "4"]}]}
    (_folder(root) / "dataset_info.json").write_text(json.dumps(lengths))
    assert len(_stream(root)) == 8
    _shard(root, 1).write_bytes(_shard(root, 1).read_bytes()[:-1])
    with pytest.raises(InputError, match="00001-of-00002: 0 records, 4 were written"):
        _stream(root)


def test_a_shard_of_the_right_size_with_too_few_records(root):
    """The count is checked, not only the size."""
    from array_record.python import array_record_module

    _shard(root).unlink()
    writer = array_record_module.ArrayRecordWriter(str(_shard(root)), "group_size:1")
    writer.write(b"x")
    writer.close()
    shard_manifest.write(_folder(root), {"train": len(CLIPS)})
    with pytest.raises(InputError, match="split train has 5 records, 8 were written"):
        _stream(root)


@pytest.mark.parametrize("manifest", [True, False])
def test_missing_shard(root, manifest):
    _shard(root).unlink()
    if not manifest:
        (_folder(root) / shard_manifest.NAME).unlink()
    with pytest.raises(InputError, match="00000-of-00002: .*missing"):
        _stream(root)


@pytest.mark.parametrize("text", ["{", "[]", '{"shards": {"a": 1}, "examples": {}}'])
def test_damaged_manifest(root, text):
    (_folder(root) / shard_manifest.NAME).write_text(text)
    with pytest.raises(InputError, match="manifest.json"):
        _stream(root)


def test_damaged_index_is_made_again(root):
    path = _folder(root) / "index-train.json"
    kept = json.loads(path.read_text())
    for text in ("{", "[1]", json.dumps(kept | {"speaker": []})):
        path.write_text(text)
        assert len(_stream(root)) == 8 and json.loads(path.read_text()) == kept


def test_any_flipped_bit_loses_one_record_at_most_and_never_silently(root):
    """Random flips all over a shard: each record reads as it was written or raises, and at most one raises.

    A flip in the shard's own tables makes it look empty; then the counts tell, and the shard is refused by name.
    """
    path = _shard(root)
    good = path.read_bytes()
    truth = [records.RecordSplit(_folder(root), "train", 0)._readers[0].read([i])[0] for i in range(4)]
    rng, lost = np.random.default_rng(0), 0
    for _ in range(30):
        _flip(path, int(rng.integers(40_000)))
        try:
            source, broken = records.RecordSplit(_folder(root), "train", 0), 0
        except InputError as error:
            assert "8 were written" in str(error)
            path.write_bytes(good)
            continue
        for i in range(4):
            if _breaks(source, i):
                broken += 1
            else:
                assert source._readers[0].read([i])[0] == truth[i]
        assert broken <= 1
        lost += broken
        path.write_bytes(good)
    assert lost > 5  # the flips did hit


@pytest.mark.parametrize("kind", ["pairs", "clips"])
def test_damaged_record_is_replaced_by_the_next_of_its_speaker(root, kind, caplog):
    whole = [_stream(root, kind, speaker_power=1).batch(step) for step in range(3)]
    _damage(root, 1)
    source = records.RecordSplit(_folder(root), "train")
    stream = _stream(root, kind, speaker_power=1, max_damaged=0.2)
    expected = next(i for i in (2, 3, *range(4, 8), 0) if source.speakers[i] == source.speakers[1])
    with caplog.at_level(logging.WARNING):
        for step, before in enumerate(whole):
            batch = stream.batch(step)
            stands_in = before["clip"] == 1
            np.testing.assert_array_equal(batch["clip"], np.where(stands_in, expected, before["clip"]))
            if kind == "clips":  # nothing else changes
                for name in before:
                    np.testing.assert_array_equal(batch[name][~stands_in], before[name][~stands_in])
    assert stream.damaged == {"made": [1]}
    assert sum("record 1 is damaged" in record.getMessage() for record in caplog.records) == 1  # logged once


def test_every_host_engine_and_resume_substitutes_alike(root):
    _damage(root, 2)
    whole = _stream(root, max_damaged=0.2).batch(3)
    for engine in engines.available():
        hosts = [
            next(
                clips.ClipStream(
                    str(root), {"made": 1.0}, batch_size=8, length=3, process_index=i, process_count=2, engine=engine
                ).iterate(3)
            )
            for i in range(2)
        ]
        for name, value in whole.items():
            np.testing.assert_array_equal(np.concatenate([host[name] for host in hosts]), value)


def test_too_many_damaged_records_end_the_stream(root):
    _damage(root, 0)
    with pytest.raises(InputError, match="1 of 8 records are damaged, more than the 0"):
        list(_stream(root, max_damaged=0.0).iterate(0, 4))
    list(_stream(root).iterate(0, 4))  # one is always allowed, unless none is


def test_all_clips_of_a_speaker_damaged(tmp_path):
    folder = write_dataset(tmp_path, "made", {"train": [("c0", "s0", 6), ("c1", "s1", 6)]})
    records.RecordSplit(folder, "train")
    _flip(_shard(tmp_path), 3000)
    with pytest.raises(InputError, match="every record of speaker s0 is damaged"):
        _stream(tmp_path).batch(0)


def test_a_damaged_record_without_an_index_is_an_error(root):
    """Who speaks in it decides on the order of all clips: it cannot be left open."""
    _damage(root, 3)
    (_folder(root) / "index-train.json").unlink()
    with pytest.raises(InputError, match="record 3 is damaged"):
        _stream(root)


def test_checksums_find_a_flipped_bit_before_training(root):
    _stream(root, checksums=True)
    _flip(_shard(root, 1), 5000)
    _stream(root)
    with pytest.raises(InputError, match="00001-of-00002: damaged"):
        _stream(root, checksums=True)
    (_folder(root) / shard_manifest.NAME).unlink()
    with pytest.raises(InputError, match="no checksum"):
        _stream(root, checksums=True)


@pytest.fixture
def cache(tmp_path):
    lengths, n = [5, 4], 9
    arrays = {
        "audio": np.zeros(n * 640, np.int16), "motion": np.ones((n, 10), np.float32), "gaze": np.zeros((n, 2)),
        "emotion": np.zeros((n, 8)), "mouth": np.zeros((n, 2)), "distance": np.zeros(n), "valid": np.ones(n, bool),
        "offsets": np.cumsum([0, *lengths]), "clip_id": ["a", "b"], "speaker": ["s", "t"], "split": ["train", "test"],
        "motion_mean": np.zeros(10), "motion_std": np.ones(10), "distance_mean": 0.0, "distance_std": 1.0,
    }  # fmt: skip

    def write(**change):
        path = tmp_path / "grid.npz"
        np.savez(path, **{k: v for k, v in (arrays | change).items() if v is not None})
        return path

    return write


def test_a_whole_cache_is_read(cache):
    assert len(latent_cache.LatentSplit(cache(), "train")) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"motion": None}, "no motion in it"),
        ({"offsets": [0, 5, 8]}, "do not cover"),
        ({"audio": np.zeros(100, np.int16)}, "100 samples for 9 frames"),
        ({"gaze": np.zeros((9, 3))}, "gaze has shape"),
        ({"speaker": ["s"]}, "2 clips, but"),
        ({"motion": np.full((9, 10), np.nan)}, "not finite"),
    ],
)
def test_a_cache_whose_parts_do_not_fit(cache, change, says):
    with pytest.raises(InputError, match=f"grid.npz: not a whole latents cache .*{says}.*--stage=latents"):
        latent_cache.LatentSplit(cache(**change), "train")


@pytest.mark.parametrize("fault", ["flip", "cut", "empty", "text"])
def test_a_damaged_cache(cache, fault):
    path = cache()
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 4
    path.write_bytes({"flip": bytes(data), "cut": bytes(data)[: len(data) // 2], "empty": b"", "text": b"hello"}[fault])
    with pytest.raises(InputError, match="--stage=latents"):
        latent_cache.LatentSplit(path, "train")
