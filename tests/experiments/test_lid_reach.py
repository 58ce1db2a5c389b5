"""The reach of lids: found from pictures whose truth is known, kept in a release, and followed by blinks."""

import shutil
import types

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import app, export, lid_reach
from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference.talking_face import TalkingFace


class Eyes:
    """Faces that are shut by 1 in pictures when their codes say `need`; a tracker that loses one beyond `lost`."""

    def __init__(self, lost: float = np.inf):
        self.lost = lost

    def painted(self, need, levels):
        return np.stack([np.full((2, 2), [level / need, level]) for level in levels])

    def read(self, pictures):
        closure, level = pictures[:, 0, 0], pictures[:, 0, 1]
        lids = np.repeat(np.clip(closure, 0, 1)[:, None], 2, 1)
        return types.SimpleNamespace(lids=lids, mouth=0.1 + 0.01 * level, valid=level <= self.lost)


def test_most_of_the_portraits_are_shut_and_none_goes_further_than_that() -> None:
    eyes, needs = Eyes(), np.linspace(1.0, 2.6, 9)
    found = lid_reach.find(eyes.painted, eyes, needs)
    wanted = np.percentile(np.maximum(lid_reach.SHUT * needs, lid_reach.LEVELS[0]), lid_reach.OF_PORTRAITS)
    assert found["reach"] == pytest.approx(wanted, abs=0.01)
    assert found["shut"] >= 7 / 9 and found["shut_with_reach_1"] == pytest.approx(2 / 9)
    np.testing.assert_allclose(found["mouth_moved"], 0.01 * np.asarray(found["levels"]), atol=1e-9)


def test_faces_that_close_by_themselves_need_one_or_less() -> None:
    eyes = Eyes()
    assert lid_reach.find(eyes.painted, eyes, [0.9] * 6)["reach"] == pytest.approx(lid_reach.LEVELS[0])


@pytest.mark.parametrize("closure, reach", [([0.1, 0.2, 0.3], 3.0), ([0.5, 1.0, 1.0], 1.5), ([0.8, 0.2, 0.9], 1.0)])
def test_one_portrait(closure, reach) -> None:
    assert lid_reach.reach_of([1.0, 2.0, 3.0], np.asarray(closure)) == pytest.approx(reach)


def test_levels_that_cannot_be_read_count_for_nothing() -> None:
    assert lid_reach.reach_of([1.0, 2.0, 3.0], np.asarray([0.5, np.nan, 1.0])) == pytest.approx(2.0)
    eyes = Eyes(lost=1.0)  # of all levels beyond 1 the tracker sees nothing
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
