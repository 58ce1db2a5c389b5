"""The tracker without a model follows a face that is pasted into images, and says when there is none."""

import importlib.resources

import numpy as np
from PIL import Image

from data_pipelines.prepare import backends, boxes, crops
from vasa_jax import landmarks


def test_follows_a_face_that_moves():
    portrait = importlib.resources.files("vasa_jax").joinpath("assets/portrait.jpg")
    with importlib.resources.as_file(portrait) as path:
        face = np.asarray(Image.open(path).convert("RGB").resize((240, 240)))
    images = np.full((31, 300, 400, 3), 128, np.uint8)
    for k, image in enumerate(images):
        image[30:270, 20 + 3 * k : 260 + 3 * k] = face
    track = boxes.BoxTracker().track("a", iter(images))
    assert track.valid.all() and (track.faces == 1).all() and track.points.shape == (31, 478, 3)
    middle = [crops.find_crop(landmarks.from_mediapipe(track.points[k : k + 1])) for k in (0, 30)]
    # It moves by 90 pixels; the median over two looks either way takes up to 15 off at each end.
    assert 50 < middle[1].x - middle[0].x < 100 and abs(middle[1].half / middle[0].half - 1) < 0.1
    nothing = boxes.BoxTracker().track("a", [np.full((90, 90, 3), 128, np.uint8)] * 6)
    assert not nothing.valid.any() and (nothing.faces == 0).all()


def test_the_report_says_what_its_labels_are():
    spec = backends.Spec(boxes=True)
    assert "boxes only" in spec.describe() and isinstance(spec.make(), boxes.BoxTracker)
