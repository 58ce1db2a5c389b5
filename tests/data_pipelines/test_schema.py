import io

import numpy as np
import pytest
from PIL import Image

from data_pipelines import schema


def _labels(t):
    return {name: np.zeros((t, *shape), dtype) for name, (shape, dtype) in schema.PER_FRAME.items()}


def test_stored_sizes_are_those_of_the_interfaces():
    assert schema.stored_size(64) == 80 and schema.stored_size(128) == 160


def test_example_survives_tfds():
    rng = np.random.default_rng(0)
    labels = _labels(3) | {"gaze": rng.normal(size=(3, 2)).astype(np.float32), "valid": np.asarray([True, False, True])}
    image = np.broadcast_to(np.linspace(0, 255, 80, dtype=np.uint8)[:, None, None], (80, 80, 3))
    example = schema.make_example("clip", "s1", [image] * 3, rng.normal(0, 0.1, 3 * 640), **labels)
    features = schema.features()
    back = features.deserialize_example_np(features.serialize_example(features.encode_example(example)))
    for name in ("gaze", "valid", "audio", "phonemes"):
        np.testing.assert_array_equal(back[name], example[name])
    assert (back["phonemes"] == 0).all() and back["clip_id"] == b"clip"
    # JPEG at quality 95 of a smooth ramp: off by a few grey levels at most.
    assert np.abs(schema.decode_jpeg(back["frames"][2]).astype(int) - image).max() <= 6


def test_phonemes_may_be_left_out():
    labels = _labels(2)
    del labels["phonemes"]
    example = schema.make_example("c", "s", [b"", b""], np.zeros(1280), **labels)
    assert (example["phonemes"] == -1).all()


def test_mattes_survive_tfds_and_may_be_left_out():
    rng = np.random.default_rng(0)
    mattes = rng.integers(0, 256, (2, 16, 16), np.uint8)
    features = schema.features()
    for given, count in ((mattes, 2), ((), 0)):
        example = schema.make_example("c", "s", [b"", b""], np.zeros(1280), given, **_labels(2))
        back = features.deserialize_example_np(features.serialize_example(features.encode_example(example)))
        assert len(back["mattes"]) == count
        for stored, matte in zip(back["mattes"], given, strict=True):
            np.testing.assert_array_equal(schema.decode_matte(stored), matte)
    with pytest.raises(ValueError, match="clip c: 1 mattes for 2 frames"):
        schema.make_example("c", "s", [b"", b""], np.zeros(1280), mattes[:1], **_labels(2))


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_a_matte_that_breaks_off_is_an_error(cut):
    with pytest.raises(ValueError, match="no whole PNG"):
        schema.decode_matte(schema.encode_matte(np.full((16, 16), 90, np.uint8))[:cut])


@pytest.mark.parametrize("samples", [0, 1279, 1280, 5000])
def test_audio_is_cut_or_filled_to_the_frames(samples):
    audio = schema.fit_audio(np.ones(samples), 2)
    assert audio.shape == (1280,) and audio.dtype == np.float32
    assert audio.sum() == min(samples, 1280)


@pytest.mark.parametrize(
    "change",
    [{"gaze": np.zeros((3, 2))}, {"pose": np.full((2, 7), np.nan)}, {"unknown": np.zeros(2)}],
    ids=["shape", "nan", "name"],
)
def test_wrong_labels_are_refused(change):
    with pytest.raises(ValueError, match="clip c"):
        schema.make_example("c", "s", [b"", b""], np.zeros(1280), **(_labels(2) | change))


def test_gaze_angles_and_directions():
    angles = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    direction = schema.gaze_direction(angles)
    np.testing.assert_allclose(np.linalg.norm(direction, axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(schema.gaze_angles(direction), angles, atol=1e-12)
    np.testing.assert_allclose(schema.gaze_direction(np.zeros(2)), [0, 0, -1], atol=1e-12)  # into the camera
    assert schema.gaze_direction(np.asarray([0.2, 0]))[0] > 0  # theta + is right in the image
    assert schema.gaze_direction(np.asarray([0, 0.2]))[1] < 0  # phi + is up, and y points down


def test_images_decode_to_the_bits_that_pillow_gives():
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.normal(0, 9, (40, 48, 3)), 0) + 128
    stored = schema.encode_jpeg(np.clip(smooth, 0, 255).astype(np.uint8))
    pillow = np.asarray(Image.open(io.BytesIO(stored)).convert("RGB"))
    np.testing.assert_array_equal(schema.decode_jpeg(stored), pillow)
    np.testing.assert_array_equal(schema.decode_jpeg(memoryview(stored)), pillow)


@pytest.mark.parametrize("cut", [0, 1, 30, -1])
def test_an_image_that_breaks_off_is_an_error(cut):
    stored = schema.encode_jpeg(np.full((16, 16, 3), 90, np.uint8))
    with pytest.raises(ValueError, match="no whole JPEG"):
        schema.decode_jpeg(stored[:cut])
