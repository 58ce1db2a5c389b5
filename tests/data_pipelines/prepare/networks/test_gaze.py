import pickle

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare.networks import gaze
from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax import landmarks
from vasa_jax.errors import InputError


@pytest.mark.parametrize("degrees", [-60.0, -5.5, 0.0, 1.0, 37.0])
def test_the_expectation_of_the_bins_is_the_angle(degrees):
    assert np.degrees(gaze.expected_angles(stand_ins.gaze_peak(degrees))) == pytest.approx(degrees, abs=1e-3)


@pytest.mark.parametrize("yaw, pitch", [(20.0, 0.0), (-35.0, 0.0), (0.0, 15.0), (0.0, -25.0), (30.0, -20.0)])
def test_signs_are_those_of_the_image(yaw, pitch):
    """The network's authors draw gaze as an arrow (-sin yaw cos pitch, -sin pitch), x right, y down; so do we."""
    angles = np.asarray(gaze.schema_gaze(stand_ins.gaze_peak(yaw), stand_ins.gaze_peak(pitch)))
    across, down, away = schema.gaze_direction(angles)
    yaw, pitch = np.radians([yaw, pitch])
    np.testing.assert_allclose([across, down], [-np.sin(yaw) * np.cos(pitch), -np.sin(pitch)], atol=1e-4)
    assert away < 0  # towards the camera
    np.testing.assert_allclose(angles, [-yaw, pitch], atol=1e-4)


def _points(rotations, centre=(60.0, 55.0), scale=35.0):
    """Heads [t, K, 3] in pixels, turned by angles about x, y and z."""
    matrices = Rotation.from_euler("xyz", rotations).as_matrix()
    return scale * np.einsum("tij,kj->tki", matrices, landmarks.template()) + [*centre, 0.0]


def test_eyes_are_what_the_head_does_not_explain(tmp_path):
    network = gaze.GazeNetwork(stand_ins.write_gaze(tmp_path / "net.pkl", 20.0, -10.0), batch=2)
    ahead = np.radians([-20.0, -10.0])  # theta, phi
    # A head looks along -z; this rotation carries -z onto the gaze.
    along = Rotation.align_vectors(schema.gaze_direction(ahead)[None], [[0, 0, -1]])[0].as_euler("xyz")
    points = _points([[0, 0, 0], along, [0, 0, 0.3]])
    frames = np.random.default_rng(0).integers(0, 255, (3, 120, 130, 3), np.uint8)
    labels = network(frames, points)
    assert set(labels) == set(network.labels) and all(value.dtype == np.float32 for value in labels.values())
    np.testing.assert_allclose(labels["gaze"], np.tile(ahead, (3, 1)), atol=1e-3)
    np.testing.assert_allclose(labels["eyes"][:2], [ahead, [0, 0]], atol=2e-3)
    # A head leaning to a shoulder sees the same direction turned the other way.
    x, y = schema.gaze_direction(ahead)[:2]
    turned = schema.gaze_direction(labels["eyes"][2])[:2]
    assert turned == pytest.approx([x * np.cos(0.3) + y * np.sin(0.3), y * np.cos(0.3) - x * np.sin(0.3)], abs=2e-3)


def test_frames_are_labelled_by_themselves_and_by_their_faces(tmp_path):
    path = stand_ins.write_torch(tmp_path / "net.pkl", stand_ins.resnet_state(np.random.default_rng(1)))
    rng = np.random.default_rng(0)
    frames = [np.asarray(frame) for frame in rng.integers(0, 255, (5, 110, 120, 3), np.uint8)]
    points = _points(np.zeros((5, 3)))
    one = gaze.GazeNetwork(path, batch=1)(frames, points)["gaze"]
    three = pickle.loads(pickle.dumps(gaze.GazeNetwork(path, batch=3)))(np.stack(frames), points)["gaze"]
    np.testing.assert_allclose(one, three, atol=1e-5)  # the batch is no part of the answer
    assert len(np.unique(one[:, 0])) == 5
    elsewhere = [frame.copy() for frame in frames]
    for frame in elsewhere:
        frame[:20] = 0  # above the face, whose box starts at 55 - 0.61 * 35 = 33
    np.testing.assert_array_equal(gaze.GazeNetwork(path, batch=1)(elsewhere, points)["gaze"], one)


def test_faces_half_outside_the_image(tmp_path):
    network = gaze.GazeNetwork(stand_ins.write_gaze(tmp_path / "net.pkl", 0.0, 0.0))
    points = _points(np.zeros((2, 3)), centre=(0.0, 0.0)) + np.asarray([[[0, 0, 0]], [[-500, 900, 0]]])
    labels = network(np.zeros((2, 60, 60, 3), np.uint8), points)
    assert labels["gaze"].shape == (2, 2) and np.isfinite(labels["gaze"]).all()


def test_wrong_files_say_which_to_get(tmp_path):
    (tmp_path / "text.pkl").write_text("no network")
    state = stand_ins.resnet_state(np.random.default_rng(0))
    stand_ins.write_torch(tmp_path / "resnet.pkl", {k: v for k, v in state.items() if "pitch" not in k})
    stand_ins.write_torch(tmp_path / "mpii.pkl", stand_ins.resnet_state(np.random.default_rng(0), bins=28))
    for name, why in (
        ("absent.pkl", "does not exist: give L2CSNet_gaze360.pkl"),
        ("text.pkl", "no PyTorch file"),
        ("resnet.pkl", r"fc_pitch_gaze.weight is missing\): give L2CSNet_gaze360.pkl"),
        ("mpii.pkl", "28 bins, not 90: give L2CSNet_gaze360.pkl"),
    ):
        with pytest.raises(InputError, match=rf"{name}.*{why}"):
            gaze.GazeNetwork(tmp_path / name)


def test_misuse_is_an_error(tmp_path):
    network = gaze.GazeNetwork(stand_ins.write_gaze(tmp_path / "net.pkl", 0.0, 0.0))
    points = _points(np.zeros((2, 3)))
    for frames, bad in (
        (np.zeros((1, 60, 60, 3), np.uint8), points),
        (np.zeros((2, 60, 60, 3), np.float32), points),
        (np.zeros((2, 60, 60, 3), np.uint8), np.full_like(points, np.nan)),
    ):
        with pytest.raises(ValueError):
            network(frames, bad)
