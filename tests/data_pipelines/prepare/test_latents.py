import numpy as np
import pytest

from data_pipelines.prepare import latents
from vasa_jax.errors import InputError


def test_zoom_is_fixed_by_clip_and_spread_as_said():
    zooms = np.log([latents.clip_zoom("grid", i, "train") for i in range(400)])
    assert latents.clip_zoom("grid", 3, "train") == latents.clip_zoom("grid", 3, "train")
    assert latents.clip_zoom("grid", 3, "train") != latents.clip_zoom("grid", 3, "test")
    # Standard error of a standard deviation over 400 items is 3.5 %; four of them.
    assert abs(zooms.std() - 0.10) < 0.014 and abs(zooms.mean()) < 0.02
    assert np.abs(zooms).max() <= np.log(1.25) + 1e-9
    assert latents.clip_zoom("procedural_heads", 3, "train") == 1


def test_model_image_is_the_middle_of_the_stored_one():
    stored = np.arange(80 * 80 * 3, dtype=np.uint32).reshape(80, 80, 3).astype(np.uint8)
    np.testing.assert_array_equal(latents.model_image(stored, 64), stored[8:72, 8:72])
    assert latents.model_image(stored, 64, 0.8).shape == (64, 64, 3)


@pytest.mark.parametrize("zoom", [0.8, 1.1, 1.25])
def test_zoom_moves_a_dot_by_its_factor(zoom):
    stored = np.zeros((160, 160, 3), np.uint8)
    stored[98:102, 58:62] = 255  # a dot at (60 - 80) / 64 = -0.3125, (100 - 80) / 64 = 0.3125 of the inner crop
    image = latents.model_image(stored, 128, zoom)[..., 0].astype(float)
    at = (np.arange(128) + 0.5) / 64 - 1
    found = np.asarray([image.sum(0) @ at, image.sum(1) @ at]) / image.sum()
    np.testing.assert_allclose(found, [-0.3125 * zoom, 0.3125 * zoom], atol=0.2 / 64)  # a fifth of a pixel


def test_batches_of_the_encoder_do_not_matter(data_dir, tmp_path):
    def encode(images):
        return images.mean((1, 2, 3))[:, None] * np.ones(7), images.std((1, 2, 3))[:, None] * np.ones(2)

    folder = data_dir / "alpha" / "tiny_64" / "1.0.0"
    for batch_size in (7, 64):
        report = latents.encode_dataset(folder, "alpha", encode, 64, tmp_path / f"{batch_size}.npz", batch_size)
        assert report["clips"] == {"train": 10, "test": 2} and report["motion"] == 9
    first, second = (np.load(tmp_path / f"{n}.npz") for n in (7, 64))
    assert set(first.files) == set(second.files)
    for name in first.files:
        np.testing.assert_array_equal(first[name], second[name])
    assert len(first["motion"]) * 640 == len(first["audio"]) and first["offsets"][-1] == len(first["motion"])


def test_distance_gains_the_zoom(data_dir, tmp_path, monkeypatch):
    monkeypatch.setitem(latents.ZOOM_STD, "alpha", 0.1)
    folder = data_dir / "alpha" / "tiny_64" / "1.0.0"
    encode = lambda images: (np.zeros((len(images), 7)), np.zeros((len(images), 2)))  # noqa: E731
    latents.encode_dataset(folder, "alpha", encode, 64, tmp_path / "zoomed.npz")
    expected = [np.log(latents.clip_zoom("alpha", i, "train")) for i in range(10)]
    monkeypatch.setitem(latents.ZOOM_STD, "alpha", 0.0)
    latents.encode_dataset(folder, "alpha", encode, 64, tmp_path / "plain.npz")
    zoomed, plain = np.load(tmp_path / "zoomed.npz"), np.load(tmp_path / "plain.npz")
    gained = (zoomed["distance"] - plain["distance"])[plain["offsets"][:-1]]
    np.testing.assert_allclose(gained[:10], expected, atol=1e-6)


def test_a_checkpoint_that_is_none(tmp_path):
    with pytest.raises(InputError):
        latents.load_encoder(str(tmp_path))
