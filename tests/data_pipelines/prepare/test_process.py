"""From a file to clips: what is kept, what is dropped with which words, and that nothing goes missing."""

import dataclasses

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare import ingest, process, tracking
from data_pipelines.prepare.source import Dropped, Source
from tests.data_pipelines.conftest import mesh_of, write_video
from tests.data_pipelines.prepare.conftest import SCALE, audio_of, face_points, images_of, speech

OPTIONS = process.Options(size=80)


def run(heads, path, name="a_b", options=OPTIONS, **fields):
    return process.process(Source(path, name, "a", **fields), tracking.LandmarksFolder(heads.tracks), options)


def reasons(processed) -> list[str]:
    return [d.reason for d in processed.dropped]


def test_a_good_clip(heads):
    done = run(heads, heads.write("a_b"))
    assert done.dropped == [] and [e["clip_id"] for e in done.examples] == ["a_b"]
    (example,) = done.examples
    assert len(example["frames"]) == 75 and example["audio"].shape == (75 * 640,)
    assert schema.decode_jpeg(example["frames"][0]).shape == (80, 80, 3)
    np.testing.assert_allclose(np.median(example["pose"], 0), [0, 0, 0, 0, 0, 0, 1], atol=1e-3)
    opening = example["mouth"][:, 0] - example["mouth"][:, 0].min()
    assert np.corrcoef(opening, speech(75, 0))[0, 1] > 0.99
    measured = done.measured["a_b"]
    assert measured["half"] == pytest.approx(SCALE, rel=1e-3) and measured["sync_margin"] == 0


def test_same_file_same_result(heads):
    path = heads.write("a_b")
    one, two = run(heads, path), run(heads, path)
    for a, b in zip(one.examples, two.examples, strict=True):
        assert a["frames"] == b["frames"]
        for name in ("audio", *schema.PER_FRAME):
            np.testing.assert_array_equal(a[name], b[name])
    assert one.measured == two.measured


def test_long_tracks_are_cut_and_named_by_their_first_image(heads):
    done = run(heads, heads.write("a_b", seconds=5.0), options=dataclasses.replace(OPTIONS, max_seconds=2.5))
    assert [e["clip_id"] for e in done.examples] == ["a_b_00000", "a_b_00062"]
    assert sum(len(e["frames"]) for e in done.examples) == 125


@pytest.mark.parametrize(
    ("seconds", "track", "says"),
    [
        (1.0, {}, "too short: 1.0 s"),
        (3.0, {"valid": np.zeros(75, bool)}, "no face"),
        (3.0, {"valid": np.arange(75) % 3 > 0}, "face lost: a face in 67%"),
        (3.0, {"faces": np.where(np.arange(75) < 20, 2, 1)}, "several people: a second face in 27%"),
        (3.0, {"points": mesh_of(face_points(np.zeros(75), scale=20))}, "head too small: 40 pixels wide"),
        (3.0, {"points": mesh_of(face_points(np.zeros(75), at=(0, 10, 5)))}, "beyond the edge"),
    ],
    ids=["short", "no face", "lost", "people", "small", "edge"],
)
def test_what_is_dropped(heads, seconds, track, says):
    done = run(heads, heads.write("a_b", seconds=seconds, **track))
    assert done.examples == [] and [d.clip for d in done.dropped] == ["a_b"]
    assert reasons(done)[0].startswith(says)
    assert done.thumbnails["a_b"][:2] == b"\xff\xd8"


def test_shaky_tracks_and_blur(heads):
    noise = np.random.default_rng(0).normal(0, 2, (75, 1, 3)).astype(np.float32)
    done = run(heads, heads.write("a_b", points=mesh_of(face_points(np.zeros(75)) + noise)))
    assert reasons(done)[0].startswith("shaky track")
    limits = dataclasses.replace(OPTIONS.limits, sharpness=10.0)
    done = run(heads, heads.write("a_c"), "a_c", dataclasses.replace(OPTIONS, limits=limits))
    assert reasons(done)[0].startswith("blurred")
    done = run(heads, heads.root / "videos/a/c.mp4", "a_c", dataclasses.replace(OPTIONS, limits=limits, filters=False))
    assert len(done.examples) == 1


def test_silence_noise_and_audio_that_is_late(heads):
    for name, audio, says in (
        ("a_s", np.zeros(44_100 * 3), "silence"),
        ("a_n", np.random.default_rng(0).normal(0, 0.1, 44_100 * 3), "no pauses"),
    ):
        path = heads.write(name)
        write_video(path, images_of(speech(75, 0), 0), audio)
        assert reasons(run(heads, path, name))[0].startswith(says)
    done = run(heads, heads.write("a_l", shift=10), "a_l")
    assert reasons(done)[0].startswith("audio out of step") and done.measured["a_l"]["sync_lag"] == -10


def test_a_cut_between_two_people(heads, tmp_path):
    opening = speech(150, 3)
    images = np.concatenate([images_of(opening[:75], 1), 255 - images_of(opening[75:], 2)])
    path = tmp_path / "two.mp4"
    write_video(path, images, audio_of(opening, 3))
    heads.write("a_b", seconds=6.0, points=mesh_of(face_points(opening)))
    assert [e["clip_id"] for e in run(heads, path).examples] == ["a_b_00000", "a_b_00075"]


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty (0 bytes)"), (b"words" * 99, "not a video")], ids=["empty", "text"]
)
def test_bad_files_are_dropped_by_name(heads, tmp_path, content, says):
    (tmp_path / "c.mp4").write_bytes(content)
    (dropped,) = run(heads, tmp_path / "c.mp4").dropped
    assert dropped.clip == "a_b" and dropped.reason.startswith(says) and str(tmp_path) not in dropped.reason


def test_a_stretch_beyond_the_end_and_a_missing_track(heads):
    path = heads.write("a_b")
    assert reasons(run(heads, path, start=10.0))[0].startswith("nothing there")
    assert "no landmarks of this clip" in reasons(run(heads, path, "a_x"))[0]


def test_what_nobody_expected_is_dropped_and_full_disks_are_not(heads):
    class Breaks:
        def __init__(self, error):
            self.error = error

        def track(self, clip_id, images, box=None):
            raise self.error

        def close(self):
            pass

    source = Source(heads.write("a_b"), "a_b", "a")
    done = process.process(source, Breaks(KeyError("x")), OPTIONS)
    assert done.dropped == [Dropped("a_b", "unexpected KeyError: 'x'")]
    with pytest.raises(OSError, match="full"):
        process.process(source, Breaks(OSError(28, "disk full")), OPTIONS)


def test_the_rest_of_a_file_that_was_cut_short_is_listed(heads, monkeypatch):
    monkeypatch.setattr(ingest.Video, "shortfall", lambda self: "cut short: 75 of 150")
    done = run(heads, heads.write("a_b"))
    assert len(done.examples) == 1 and done.dropped == [Dropped("a_b_rest", "cut short: 75 of 150")]


def test_boxes_reach_the_tracker(heads):
    seen = []

    class Notes(tracking.LandmarksFolder):
        def track(self, clip_id, images, box=None):
            seen.append(box)
            return super().track(clip_id, images, box)

    box = (0.1, 0.1, 0.5, 0.5)
    process.process(Source(heads.write("a_b"), "a_b", "a", box=box), Notes(heads.tracks), OPTIONS)
    assert seen == [box]
