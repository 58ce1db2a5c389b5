"""A rigged head's frame, points and movements."""

from pathlib import Path

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.rigged_heads import readers, rig
from data_pipelines.rigged_heads.figure import Figure
from tests.data_pipelines.rigged_heads import fakes
from vasa_jax import landmarks
from vasa_jax.errors import InputError

VALID = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "faces" / "valid3d"


@pytest.fixture(scope="module")
def head():
    return rig.Rig(fakes.head_file())


def test_places_are_one_a_point_and_symmetric():
    places, flip = rig.places(), landmarks.flip_permutation()
    assert places.shape == (landmarks.COUNT, 2)
    mirrored = places[flip] * [-1, 1]
    skin = np.delete(np.arange(landmarks.COUNT), range(*landmarks.SLICES["irises"].indices(landmarks.COUNT)))
    middle = places[skin, 0] - mirrored[skin, 0]
    np.testing.assert_allclose(middle, middle[0], atol=2e-4)
    np.testing.assert_allclose(places[skin, 1], mirrored[skin, 1], atol=2e-4)


def test_locate_finds_the_place_inside_of_its_triangle_and_the_nearest_outside():
    uv = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    corners, weights = rig.locate(uv, np.array([[0, 1, 2], [1, 3, 2]]), np.array([[0.2, 0.3], [0.9, 0.8], [2.0, 1.0]]))
    found = np.einsum("nk,nkc->nc", weights, uv[corners])
    np.testing.assert_allclose(found, [[0.2, 0.3], [0.9, 0.8], [1.0, 1.0]], atol=1e-9)


def test_at_rest_a_head_is_in_the_canonical_frame(head):
    pose = landmarks.fit_pose(head.pose({}).landmarks)
    np.testing.assert_allclose(pose, [0, 0, 0, 0, 0, 0, 1], atol=1e-5)


def test_faces_look_out(head):
    points = head.rest
    front = head.normals(points)[: fakes._GRID**2]
    assert (front[:, 2] < 0).mean() > 0.9


def test_targets_move_what_they_name(head):
    still = landmarks.mouth(head.pose({}).landmarks)[0]
    openings = [landmarks.mouth(head.pose({"MouthOpen": w}).landmarks)[0] for w in (0.3, 0.6, 1.0)]
    assert still < openings[0] < openings[1] < openings[2]
    half, one = (head.pose({"MouthOpen": w}).points - head.rest for w in (0.5, 1.0))
    np.testing.assert_allclose(2 * half, one, atol=1e-9)
    closed = Figure(head).closure(head.pose({"ReyeClose": 1.0}).landmarks[None])[0]
    np.testing.assert_allclose(closed, [1, 0], atol=0.02)  # the person's right is the image's left


def test_an_unknown_target_is_named(head):
    with pytest.raises(InputError, match="Wink"):
        head.pose({"Wink": 1.0})


def test_eyes_turn_about_their_centres(head):
    gaze = schema.gaze_direction(np.array([0.4, 0.2]))
    turned = head.pose({}, gaze)
    irises = turned.landmarks[landmarks.SLICES["irises"]]
    for iris, (centre, radius), ids in zip(irises, head.eyeballs, head.eye_vertices, strict=True):
        np.testing.assert_allclose((iris - centre) / radius, gaze, atol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(turned.points[ids] - centre, axis=-1), radius, rtol=0.02)
    assert (irises[:, 0] > head.pose({}).landmarks[landmarks.SLICES["irises"], 0] + 0.02).all()  # + is image right


def test_what_is_no_head_says_so():
    file = fakes.head_file()
    with pytest.raises(InputError, match="two eyes"):
        rig.Rig(file._replace(meshes=file.meshes[:1]))


@pytest.mark.skipif(not VALID.is_dir(), reason=f"{VALID}: the heads of VALID are not there")
@pytest.mark.parametrize("name", ["White_F_2", "AIAN_F_1"])
def test_published_heads_carry_the_points_and_all_targets(name):
    real = rig.Rig(readers.read(readers.find(VALID)[name]))
    assert set(fakes.target_names()) <= set(real.targets)
    assert np.abs(real.pose({}).landmarks - landmarks.template()).mean() < 0.06
    shut, wide = (landmarks.mouth(real.pose(w).landmarks)[0] for w in ({"MPB_Up": 0.75}, {"AE_AA": 1.0}))
    assert shut < 0.025 and wide > 0.15
    lids = landmarks.lids(real.pose({"ReyeClose": 1, "LeyeClose": 1}).landmarks)
    assert (lids < 0.35 * landmarks.lids(real.pose({}).landmarks)).all()
