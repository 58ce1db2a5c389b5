"""The reach of lids: found from images whose truth is known, kept in a release, and followed by blinks."""

import shutil
import types

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import export, lid_reach
from experiments.common import app
from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference.talking_face import TalkingFace


class Eyes:
    """Faces that are shut by 1 in images when their codes say `need`; a tracker that loses one beyond `lost`."""

    def __init__(self, lost: float = np.inf):
        self.lost = lost

    def painted(self, need, levels):
        return np.stack([np.full((2, 2), [level / need, level]) for level in levels])

    def read(self, images):
        closure, level = images[:, 0, 0], images[:, 0, 1]
        lids = np.repeat(np.clip(closure, 0, 1)[:, None], 2, 1)
        return types.SimpleNamespace(lids=lids, mouth=0.1 + 0.01 * level, valid=level <= self.lost)


def test_it_goes_as_far_as_portraits_close_further() -> None:
    """Of nine, the last is shut at 0.75 * 2.6 = 1.95 in the code; GAIN allows for the level before."""
    eyes, needs = Eyes(), np.linspace(1.0, 2.6, 9)
    found = lid_reach.find(eyes.painted, eyes, needs)
    assert found["reach"] == 1.75
    # Closed by 0.55, as blinks are counted, at 1 in the code: those that need at most 1.82.
    assert found["blinks"] == 1.0 and found["blinks_with_reach_1"] == pytest.approx(5 / 9)
    np.testing.assert_allclose(found["mouth_moved"], 0.01 * np.asarray(found["levels"]), atol=1e-9)


def test_faces_that_close_by_themselves_need_one_or_less() -> None:
    eyes = Eyes()
    assert lid_reach.find(eyes.painted, eyes, [0.9] * 6)["reach"] == pytest.approx(lid_reach.LEVELS[0])


@pytest.mark.parametrize(
    "closures, reach",
    [
        ([[0.1, 0.2, 0.3]], 3.0),
        ([[0.5, 1.0, 1.0]], 2.0),
        ([[0.1, 0.7, 0.5], [0.2, 0.7, 0.6]], 2.0),  # who opens again
        ([[0.5, np.nan, 0.8], [0.2, 0.7, 0.6]], 2.0),  # what cannot be read counts for nothing
    ],
)
def test_the_least_level_that_shuts_as_well_as_any(closures, reach) -> None:
    assert lid_reach.reach_of([1.0, 2.0, 3.0], np.asarray(closures)) == reach


def test_a_tracker_that_sees_nothing() -> None:
    eyes = Eyes(lost=1.0)  # of all levels beyond 1
    with pytest.raises(InputError, match="the tracker follows 0"):
        lid_reach.find(eyes.painted, eyes, [1.0] * 6)


def test_a_release_keeps_it_and_blinks_follow(tmp_path) -> None:
    folder = tmp_path / "release"
    shutil.copytree(weights.BUNDLED_DIRECTORY, folder)
    before = TalkingFace.load(folder).lids
    lid_reach.keep(folder, 1.75)
    after = TalkingFace.load(folder).lids  # its manifest is right
    assert after.reach == 1.75
    np.testing.assert_array_equal(before.direction, after.direction)


def test_a_release_without_motion_has_no_place_for_it(tmp_path) -> None:
    weights.save_release(tmp_path, face_config={"size": 8}, face_params={"kernel": np.ones(3, np.float32)})
    with pytest.raises(UsageError, match="no motion model"):
        lid_reach.keep(tmp_path, 2.0)


@pytest.mark.parametrize("face, kept", [("first", True), ("second", False)])
def test_it_does_not_go_with_another_face_model(tmp_path, face, kept) -> None:
    one = {"kernel": np.ones(3, np.float32)}
    stats = {"mean": [0.0], "std": [1.0], "reach": 2.0}
    for name in ("first", "second"):
        weights.save_release(
            tmp_path / name,
            face_config={"size": 8},
            face_params=one,
            motion_config={},
            motion_params=one,
            motion_stats=stats,
        )
    words = [f"--face={tmp_path / face}", f"--motion={tmp_path / 'first'}", f"--output={tmp_path / 'out'}"]
    with flagsaver.flagsaver():
        assert app.call(export.main, ["vasa-export", *words]) == 0
    flags.FLAGS.unparse_flags()
    assert ("reach" in weights.load_release(tmp_path / "out").motion_stats) == kept
