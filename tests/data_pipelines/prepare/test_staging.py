"""Results on disk: what goes in comes out, nothing half-written stays, and nothing stale is taken for fresh."""

import os

import numpy as np
import pytest

from data_pipelines.prepare import process, staging, tracking
from data_pipelines.prepare.source import Dropped, Processed, Source
from vasa_jax.errors import InputError


@pytest.fixture
def done(heads):
    """A source and its result: one clip, and an entry that was dropped."""
    source = Source(heads.write("a_b"), "a_b", "a")
    result = process.process(source, tracking.LandmarksFolder(heads.tracks), process.Options(size=80))
    result.dropped.append(Dropped("a_x", "blurred: very"))
    result.thumbnails["a_x"] = b"\xff\xd8jpeg"
    return source, result


def test_what_goes_in_comes_out(done, tmp_path):
    source, result = done
    staging.write(tmp_path, source, result, "made")
    back = staging.read(tmp_path, source)
    assert back.dropped == result.dropped and back.measured == result.measured
    assert back.thumbnails == result.thumbnails
    for a, b in zip(result.examples, back.examples, strict=True):
        assert a.keys() == b.keys()
        for name, value in a.items():
            np.testing.assert_array_equal(value, b[name])
    summary = staging.read_summary(tmp_path, source, "made")
    assert summary["clips"] == [["a_b", "a", 75]] and len(bytes.fromhex(summary["signatures"][0])) == 56
    (labels,) = staging.read_labels(tmp_path, source, ("pose",))
    np.testing.assert_array_equal(labels["pose"], result.examples[0]["pose"])


def test_same_result_same_bytes(done, tmp_path):
    source, result = done
    for folder in ("one", "two"):
        staging.write(tmp_path / folder, source, result, "made")
    one, two = (staging.place(tmp_path / folder, source).read_bytes() for folder in ("one", "two"))
    assert one == two


def test_other_origins_and_damage_are_not_taken(done, tmp_path):
    source, result = done
    staging.write(tmp_path, source, result, "made")
    assert staging.read_summary(tmp_path, source, "otherwise") is None
    path = staging.place(tmp_path, source)
    for content in (path.read_bytes()[:-100], b"", b"PK\x03\x04"):
        path.write_bytes(content)
        assert staging.read_summary(tmp_path, source, "made") is None
        with pytest.raises(InputError, match="damaged"):
            staging.read(tmp_path, source)


def test_fingerprints_follow_the_file_and_what_reads_it(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"one")
    source = Source(tmp_path / "a.mp4", "a", "a")
    first = staging.fingerprint(source, "options")
    assert staging.fingerprint(source, "options") == first != staging.fingerprint(source, "others")
    (tmp_path / "a.mp4").write_bytes(b"three")
    assert staging.fingerprint(source, "options") != first
    assert staging.fingerprint(Source(tmp_path / "absent.mp4", "a", "a"), "options")


def test_a_full_disk_leaves_nothing(done, tmp_path, monkeypatch):
    source, result = done

    def fails(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="No space"):
        staging.write(tmp_path / "staged", source, result)
    assert [p for p in (tmp_path / "staged").rglob("*") if p.is_file()] == []


def test_sweep_takes_only_what_is_half_written(tmp_path):
    source = Source(tmp_path / "a.mp4", "a", "a")
    staging.write(tmp_path, source, Processed())
    whole = staging.place(tmp_path, source)
    (whole.parent / ".a.npz.12345678.tmp").write_bytes(b"half")
    staging.sweep(tmp_path)
    assert os.listdir(whole.parent) == [whole.name]
