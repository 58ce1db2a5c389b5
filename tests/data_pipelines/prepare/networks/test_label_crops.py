import numpy as np

from data_pipelines import schema
from data_pipelines.prepare import crops, networks
from data_pipelines.prepare.networks import frame_network
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


def test_points_lie_on_the_crops_where_they_lay_on_the_pictures():
    rng = np.random.default_rng(0)
    box = crops.CropBox(130.0, 90.0, 0.0, 50.0)
    points = landmarks.template() + rng.normal(0, 0.05, (2, 1, 3))
    pictures = np.zeros((2, 200, 260, 3), np.uint8)
    for picture, frame in zip(pictures, points):
        x, y = (
            np.floor(frame[:, 0] * box.half + box.x).astype(int),
            np.floor(frame[:, 1] * box.half + box.y).astype(int),
        )
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                picture[y + dy, x + dx] = 255
    cut = [crops.cut(picture, box, networks.CROP_SIZE) for picture in pictures]
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
    assert set(networks.GazeNetwork.labels + networks.EmotionNetwork.labels) <= set(schema.PER_FRAME)
