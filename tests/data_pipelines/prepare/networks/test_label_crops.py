import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare import crops, networks
from data_pipelines.prepare.networks import frame_network, gaze
from data_pipelines.prepare.networks.label_crops import CHUNK
from vasa_jax import landmarks


class _Dots:
    """Says which colours lie under the points, and that the right half is foreground."""

    labels = ("colours", "matte")

    def __call__(self, frames, points):
        frame_network.check(frames, points)
        at = np.floor(points[..., :2]).astype(int)
        colours = np.stack([frame[y, x] for frame, (x, y) in zip(frames, np.moveaxis(at, -1, 1))])
        mattes = np.zeros(np.shape(frames)[:3], np.uint8)
        mattes[:, :, mattes.shape[2] // 2 :] = 255
        return {"colours": colours, "matte": mattes}


def test_points_lie_on_the_crops_where_they_lay_on_the_images():
    rng = np.random.default_rng(0)
    box = crops.CropBox(130.0, 90.0, 0.0, 50.0)
    points = landmarks.template() + rng.normal(0, 0.05, (2, 1, 3))
    images = np.zeros((2, 200, 260, 3), np.uint8)
    for image, frame in zip(images, points):
        x, y = (
            np.floor(frame[:, 0] * box.half + box.x).astype(int),
            np.floor(frame[:, 1] * box.half + box.y).astype(int),
        )
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                image[y + dy, x + dx] = 255
    cut = [crops.cut(image, box, networks.CROP_SIZE) for image in images]
    labels = networks.label_crops([_Dots()], cut, points, size=80)
    assert (labels["colours"] > 200).all()
    assert labels["matte"].shape == (2, 80, 80) and labels["matte"].dtype == np.uint8
    assert (labels["matte"][:, :, :40] == 0).all() and (labels["matte"][:, :, 40:] == 255).all()


def test_the_later_network_counts_and_none_gives_nothing():
    class Constant:
        def __init__(self, value):
            self.labels, self.value = ("gaze",), value

        def __call__(self, frames, points):
            return {"gaze": np.full((len(frames), 2), self.value)}

    frames, points = np.zeros((3, 100, 100, 3), np.uint8), np.zeros((3, landmarks.COUNT, 3))
    assert (networks.label_crops([Constant(1), Constant(2)], frames, points, 80)["gaze"] == 2).all()
    assert networks.label_crops([], frames, points, 80) == {}
    assert set(gaze.GazeNetwork.labels + networks.EmotionNetwork.labels) <= set(schema.PER_FRAME)


@pytest.mark.parametrize("count", [1, CHUNK, 2 * CHUNK + 7])
def test_clips_of_any_length_come_in_pieces(count):
    seen = []

    class Numbers:
        labels = ("gaze", "emotion", "matte")

        def __call__(self, frames, points):
            seen.append(len(frames))
            number = np.round(points[:, 0, 2] / points[0, 1, 2])  # z of the second point is 1 in the crops' unit
            assert [frame[0, 0, 0] for frame in frames] == (number % 256).tolist()
            mattes = np.stack([frame[..., 0] for frame in frames])
            return {
                "gaze": np.stack([number, -number], 1),
                "emotion": np.eye(8)[number.astype(int) % 8],
                "matte": mattes,
            }

    points = np.zeros((count, landmarks.COUNT, 3))
    points[:, 0, 2], points[:, 1, 2] = np.arange(count), 1
    clip = networks.ClipLabels([Numbers()], points, 8)
    for k in range(count):
        clip.add(np.full((16, 16, 3), k, np.uint8))
    labels = clip.labels()
    assert sum(seen) == count and max(seen) <= CHUNK
    np.testing.assert_allclose(labels["gaze"][:, 0], np.arange(count), atol=1e-9)
    assert labels["matte"].shape == (count, 8, 8) and (labels["matte"][:, 3, 3] == np.arange(count)).all()
    share = np.bincount(np.arange(count) % 8, minlength=8) / count
    np.testing.assert_allclose(labels["emotion"], np.tile(share, (count, 1)))
