import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare import crops
from vasa_jax import landmarks


def _moving_face(seed: int, t: int = 31) -> np.ndarray:
    """Template faces under random similarity transforms, in pixels."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_euler("xyz", rng.normal(0, 0.2, (t, 3))).as_matrix()
    scale, shift = rng.uniform(80, 120, (t, 1, 1)), rng.normal([180, 140, 15], 10, (t, 3))[:, None]
    return scale * np.einsum("tij,kj->tki", rotation, landmarks.template()) + shift


@pytest.mark.parametrize("seed", range(4))
def test_median_pose_has_scale_one_and_no_translation(seed):
    points = _moving_face(seed)
    box = crops.find_crop(points)
    pose = np.median(landmarks.fit_pose(box.normalise(points)), 0)
    # float32 points of about 200 pixels over a half side of 100: 1e-5 is a few units in the last place.
    np.testing.assert_allclose(pose[3:], [0, 0, 0, 1], atol=2e-5)


@pytest.mark.parametrize("size", [80, 160])
@pytest.mark.parametrize("centre", [(150.3, 120.8), (40.0, 200.5)], ids=["inside", "beyond the edge"])
def test_a_dot_lands_where_its_coordinates_say(size, centre):
    """Coordinates are of outer edges: pixel i of the video covers i..i+1, of the crop -1.25 + 2.5 i / size onwards."""
    box = crops.CropBox(*centre, 0.0, 83.7)
    for dot in ((160, 130), (60, 190), (91, 240)):
        image = np.zeros((260, 320, 3), np.uint8)
        image[dot[1] - 2 : dot[1] + 2, dot[0] - 2 : dot[0] + 2] = 255
        expected = box.normalise(np.asarray([[*dot, 0.0]]))[0, :2]
        if np.abs(expected).max() > 1.2:
            continue
        cut = crops.cut(image, box, size)[..., 0].astype(float)
        at = (np.arange(size) + 0.5) / size * 2 * schema.MARGIN - schema.MARGIN
        found = (cut.sum(0) @ at / cut.sum(), cut.sum(1) @ at / cut.sum())
        np.testing.assert_allclose(found, expected, atol=0.1 * 2 * schema.MARGIN / size)  # a tenth of a stored pixel


def test_beyond_the_edge_the_edge_is_repeated():
    image = np.zeros((50, 50, 3), np.uint8)
    image[:, :25] = 200
    cut = crops.cut(image, crops.CropBox(25, 25, 0, 50), 100)
    assert cut.shape == (100, 100, 3)
    assert (np.abs(cut[:, :45].astype(int) - 200) <= 1).all() and (cut[:, 55:] <= 1).all()
