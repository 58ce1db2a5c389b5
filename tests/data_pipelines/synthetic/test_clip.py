"""A whole clip: shapes, determinism, and labels that agree with each other."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic.clip import make_clip
from vasa_jax import landmarks

_FRAMES = 40


@pytest.fixture(scope="module")
def clip():
    return make_clip(seed=2, identity=3, frames=_FRAMES, size=80)


def test_fields_have_the_shapes_of_the_schema(clip):
    for name, (shape, dtype) in schema.PER_FRAME.items():
        assert clip[name].shape == (_FRAMES, *shape), name
        assert clip[name].dtype == dtype, name
    assert clip["frames"].shape == (_FRAMES, 80, 80, 3)
    assert clip["audio"].shape == (_FRAMES * 640,)
    schema.make_example(
        clip["clip_id"], clip["speaker"], clip["frames"], clip["audio"], **{n: clip[n] for n in schema.PER_FRAME}
    )


def test_mattes_hold_the_face_and_end_at_the_person(clip):
    mattes = clip["mattes"]
    assert mattes.shape == (_FRAMES, 80, 80) and mattes.dtype == np.uint8
    at = np.floor((clip["landmarks"][..., :2] / schema.MARGIN + 1) * 40).astype(int)
    covered = mattes[np.arange(_FRAMES)[:, None], at[..., 1], at[..., 0]]
    assert (covered == 255).mean() > 0.9  # but for those on the outline
    assert (mattes[:, 0, [0, -1]] == 0).all() and 0.2 < (mattes > 127).mean() < 0.9
    behind = clip["frames"][:, (mattes == 0).all(0)].astype(float)
    assert np.median(behind.std(0)) < 6  # what is behind a person stands still, but for noise


def test_same_integers_same_clip_other_integers_another(clip):
    again = make_clip(seed=2, identity=3, frames=_FRAMES, size=80)
    for name, value in clip.items():
        np.testing.assert_array_equal(value, again[name], err_msg=name)
    other = make_clip(seed=4, identity=3, frames=4, size=80)
    assert other["speaker"] == clip["speaker"]
    assert other["clip_id"] != clip["clip_id"]
    assert np.abs(other["audio"] - clip["audio"][: 4 * 640]).max() > 0


def test_labels_are_those_of_the_landmarks(clip):
    np.testing.assert_allclose(clip["pose"], landmarks.fit_pose(clip["landmarks"]), atol=1e-5)
    np.testing.assert_allclose(clip["mouth"][:, 0], landmarks.mouth(clip["landmarks"])[:, 0], atol=1e-5)
    np.testing.assert_allclose(clip["distance"], np.log(clip["pose"][:, 6]), atol=1e-6)
    np.testing.assert_allclose(np.median(clip["pose"][:, 3:5], axis=0), 0, atol=1e-3)


def test_true_rotation_differs_from_the_fitted_by_a_constant(clip):
    true = Rotation.from_euler("xyz", clip["rotation"])
    offset = (true.inv() * Rotation.from_euler("xyz", clip["pose"][:, :3])).as_rotvec()
    np.testing.assert_allclose(offset, np.broadcast_to(offset[:1], offset.shape), atol=2e-4)


def test_gaze_and_eyes_agree_through_the_head(clip):
    turn = Rotation.from_euler("xyz", clip["rotation"]).as_matrix()
    gaze = np.einsum("tij,tj->ti", turn, schema.gaze_direction(clip["eyes"]))
    np.testing.assert_allclose(schema.gaze_angles(gaze), clip["gaze"], atol=1e-5)
    assert np.abs(clip["eyes"]).max() < 0.55


def test_mouth_is_shut_in_silence_and_opens_in_speech(clip):
    """Of a person who does not smile: happy ones may show their teeth in pauses (test_motion)."""
    silence = clip["phonemes"] == 0
    inside = silence & np.roll(silence, 1) & np.roll(silence, -1)
    opening = clip["mouth"][:, 0]
    assert opening[inside].size == 0 or opening[inside].max() < 0.03
    assert opening.max() > 0.05
