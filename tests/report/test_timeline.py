import base64
import io
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from vasa_jax.report import measure, timeline


def _clip(count, mouth=None):
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 0.05, (6, count))
    values[0] = rng.uniform(measure.FLOOR, 0, count)
    values[3] = rng.normal(0, 8, count)
    if mouth is not None:
        values[1] = mouth
    frames = [np.full((32, 32, 3), 5 * k % 256, np.uint8) for k in range(count)]
    return measure.Clip(frames, rng.normal(0, 0.1, count * 640).astype(np.float32), measure.Readings(*values))


def test_figure_is_well_formed_and_stays_inside_its_box():
    svg = ElementTree.fromstring(timeline.figure(_clip(30)))
    assert svg.get("data-seconds") == "1.2"
    height = float(svg.get("viewBox").split()[3])
    for path in svg.iter("path"):
        numbers = np.asarray(path.get("d").replace("M", "").replace("L", "").replace("Z", "").split(), float)
        x, y = numbers[::2], numbers[1::2]
        assert x.min() >= 0 and x.max() <= timeline.PLOT + 0.1 and y.min() >= -0.1 and y.max() < height
    assert {path.get("class") for path in svg.iter("path")} == {"wave", "loud", "mouth", "lids", "head"}


def test_a_frame_and_readings_out_of_range_are_drawn_too():
    for clip in (_clip(1), _clip(5, mouth=-0.3), _clip(5, mouth=2.0)):
        ElementTree.fromstring(timeline.figure(clip))


def test_strip_shows_the_frame_at_the_middle_of_its_time():
    frames = [np.full((50, 50, 3), k, np.uint8) for k in range(20)]
    tiles = timeline.strip(frames, count=4, side=8)
    assert tiles.shape == (8, 32, 3)
    assert tiles[4, 4::8, 0].tolist() == [2, 7, 12, 17]


def test_envelope_brackets_the_audio():
    found = timeline.envelope(np.asarray([0, 0.5, -0.25, 0, 0, 0, 0, 0.1], np.float32), 4)
    np.testing.assert_allclose(found, [[0, 1], [-0.5, 0], [0, 0], [0, 0.2]], atol=1e-6)
    assert np.isfinite(timeline.envelope(np.zeros(3, np.float32), 8)).all()


def test_data_uri_holds_the_bytes():
    uri = timeline.data_uri(timeline.jpeg(np.zeros((4, 6, 3), np.uint8)), "image/jpeg")
    kind, _, content = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (6, 4)
