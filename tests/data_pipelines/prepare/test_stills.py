"""From photographs to a clip: what a drawn face becomes, and what is dropped with which words."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from data_pipelines import schema
from data_pipelines.prepare import backends, local, process, results, sheets, staging, steps, tracking
from data_pipelines.prepare.source import Source
from tests.data_pipelines.conftest import mesh_of
from tests.data_pipelines.prepare.conftest import SCALE, face_points, images_of

OPTIONS = process.Options(size=80)


class Album:
    """Photographs ROOT/set/NAME.png of a drawn face, with a track for each."""

    def __init__(self, root):
        self.root, self.tracks = root, root / "tracks"
        (root / "set").mkdir(parents=True)
        self.tracks.mkdir()

    def add(self, clip: str, file: str, opening: float = 0.0, scale: float = SCALE, blink: float = 0.0, **track):
        path = self.root / "set" / file
        Image.fromarray(images_of(np.asarray([opening]), 0)[0]).save(path)
        shapes = np.zeros((1, tracking.BLENDSHAPES), np.float32)
        shapes[:, 9] = blink  # of the eye on the right of the image
        points = mesh_of(face_points(np.asarray([opening]), scale=scale))
        fields = {"points": points, "blendshapes": shapes, "valid": np.ones(1, bool)}
        tracking.Track(**(fields | track)).save(self.tracks / f"{clip}.npz")
        return path

    def process(self, source: Source, options: process.Options = OPTIONS):
        return process.process(source, tracking.LandmarksFolder(self.tracks), options)


@pytest.fixture
def album(tmp_path) -> Album:
    return Album(tmp_path / "album")


def test_one_photograph_is_a_clip_of_one_silent_frame(album):
    done = album.process(Source(album.add("a", "a.png", opening=0.5), "a", "a"))
    (example,) = done.examples
    assert done.dropped == [] and len(example["frames"]) == 1
    assert schema.decode_jpeg(example["frames"][0]).shape == (80, 80, 3)
    assert example["audio"].shape == (640,) and not example["audio"].any()
    np.testing.assert_allclose(example["pose"], [[0, 0, 0, 0, 0, 0, 1]], atol=1e-3)
    assert done.measured["a"]["half"] == pytest.approx(SCALE, rel=1e-3)


def test_photographs_of_a_person_are_frames_cut_each_by_itself(album):
    near = album.add("a_0", "a.png")
    far = album.add("a_1", "b.png", opening=1.0, scale=27.0)
    (example,) = album.process(Source(near, "a", "a", further=(far,))).examples
    assert len(example["frames"]) == 2 and len(example["audio"]) == 1280
    np.testing.assert_allclose(example["pose"][:, 6], 1, atol=1e-3)  # whatever the size in the image
    assert example["mouth"][1, 0] > example["mouth"][0, 0] + 0.05


def test_closed_eyes_show_in_a_single_image(album):
    (example,) = album.process(Source(album.add("a", "a.png", blink=0.7), "a", "a")).examples
    np.testing.assert_allclose(example["lids"], [[0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"valid": np.zeros(1, bool)}, "no face"),
        ({"faces": np.asarray([2])}, "several people"),
        ({"scale": 20}, "head too small: 40 pixels wide"),
    ],
    ids=["no face", "people", "small"],
)
def test_what_is_dropped(album, fields, says):
    source = Source(album.add("a", "a.png", **fields), "a", "a")
    done = album.process(source)
    assert done.examples == [] and [d.clip for d in done.dropped] == ["a"] and done.dropped[0].reason.startswith(says)
    assert done.thumbnails["a"][:2] == b"\xff\xd8"


def test_a_damaged_photograph_leaves_the_others(album):
    good, bad = album.add("a_0", "a.png"), album.add("a_1", "b.png")
    bad.write_bytes(b"no image")
    done = album.process(Source(good, "a", "a", further=(bad,)))
    assert len(done.examples[0]["frames"]) == 1 and [d.clip for d in done.dropped] == ["a_1"]
    assert str(bad) not in done.dropped[0].reason


def test_a_changed_photograph_is_done_again(album):
    good, second = album.add("a_0", "a.png"), album.add("a_1", "b.png")
    source = Source(good, "a", "a", further=(second,))
    before = staging.fingerprint(source, "x")
    second.write_bytes(second.read_bytes() + b" ")
    assert staging.fingerprint(source, "x") != before
    assert staging.fingerprint(dataclasses.replace(source, further=()), "x") != before


def test_through_the_pipeline_to_one_sheet_a_set(album, tmp_path):
    sources = [Source(album.add(name, f"{name}.png"), name, name) for name in ("a", "b", "c")]
    job = steps.Job(tmp_path / "staged", backends.Spec(landmarks=str(album.tracks)), OPTIONS)
    local.run(sources, job, 1, lambda outcome: None)
    found = results.Results(job, sources)
    assert found.quality()["kept"] == ["a", "b", "c"]  # alike as they are, single frames are no copies
    (path,) = sheets.write(tmp_path / "sheets", found)
    assert path.name == "set.jpg" and Image.open(path).size == (sheets.COLUMNS * sheets.TILE, sheets.TILE)
