"""Arrays, images and samples of any sensible form are what they look like; the others are one clear line."""

import gc

import jax.numpy as jnp
import numpy as np
import pytest
import soundfile
from PIL import Image

from tests import colour_files as made
from tests.inference.stand_ins import talking_face
from vasa_jax.errors import InputError
from vasa_jax.inference import given
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.portrait import FaceBox

RGB = made.patches(96)
GREY = RGB[..., 1]
ALPHA = np.full(GREY.shape, 255, np.uint8)
RATE = 16_000
TONE = 0.25 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)


def image(value):
    """The pixels of a value, and what was said."""
    said = []
    return given.image(value, said.append).pixels, said


@pytest.mark.parametrize(
    ("value", "truth"),
    {
        "uint8": (RGB, RGB),
        "uint16": (RGB.astype(np.uint16) * 257, RGB),
        "big-endian": ((RGB.astype(np.uint16) * 257).astype(">u2"), RGB),
        "int64": (RGB.astype(np.int64), RGB),
        "uint8 in uint32": (RGB.astype(np.uint32), RGB),
        "float32": ((RGB / 255).astype(np.float32), RGB),
        "float64": (RGB / 255, RGB),
        "overshoot": (np.where(RGB == 255, 1.03, RGB / 255), RGB),
        "grey": (GREY, GREY[..., None].repeat(3, -1)),
        "grey with an axis": (GREY[..., None], GREY[..., None].repeat(3, -1)),
        "bool": (GREY > 128, np.where(GREY > 128, 255, 0)[..., None].repeat(3, -1)),
        "RGBA": (np.dstack([RGB, ALPHA]), RGB),
        "clear RGBA": (np.dstack([RGB, 0 * ALPHA]), np.full_like(RGB, 128)),
        "grey and alpha": (np.dstack([GREY, ALPHA]), GREY[..., None].repeat(3, -1)),
        "channels first": (RGB.transpose(2, 0, 1), RGB),
        "RGBA first, floats": (np.dstack([RGB, ALPHA]).transpose(2, 0, 1) / 255, RGB),
        "grey first": (GREY[None], GREY[..., None].repeat(3, -1)),
        "a batch of one": (RGB[None], RGB),
        "a batch of one, channels first": (RGB.transpose(2, 0, 1)[None] / 255, RGB),
        "every second": (RGB.repeat(2, 0).repeat(2, 1)[::2, ::2], RGB),
        "backwards": (RGB[::-1, ::-1][::-1, ::-1], RGB),
        "Fortran": (np.asfortranarray(RGB), RGB),
        "list": (RGB.tolist(), RGB),
        "list of floats": ((RGB / 255).tolist(), RGB),
        "JAX": (jnp.asarray(RGB), RGB),
        "JAX floats": (jnp.asarray(RGB / 255, jnp.float32), RGB),
        "image": (Image.fromarray(RGB), RGB),
        "grey image": (Image.fromarray(GREY), GREY[..., None].repeat(3, -1)),
        "clear image": (Image.fromarray(np.dstack([RGB, 0 * ALPHA])), np.full_like(RGB, 128)),
        "read-only": (np.frombuffer(RGB.tobytes(), np.uint8).reshape(RGB.shape), RGB),
    }.values(),
)
def test_every_form_of_the_same_image(value, truth):
    pixels, said = image(value)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous and not said
    np.testing.assert_allclose(pixels.astype(int), truth, atol=1)


def test_half_precision():
    assert np.abs(image((RGB / 255).astype(np.float16))[0].astype(int) - RGB).max() <= 1
    assert np.abs(image(jnp.asarray(RGB / 255, jnp.bfloat16))[0].astype(int) - RGB).max() <= 2


def test_what_is_guessed_is_said():
    pixels, said = image(RGB.astype(np.float32))
    assert np.array_equal(pixels, RGB) and said == ["the portrait: floats that go up to 255 are taken as 0 to 255"]
    pixels, said = image((RGB.astype(np.uint16) * 257) >> 4)
    assert np.abs(pixels.astype(int) - RGB).max() <= 1 and "taken as 12 bits" in said[0]


def test_an_image_brings_its_profile_and_its_orientation(tmp_path):
    stored = np.round(made.in_space(RGB, made.P3) ** (1 / 2.2) * 255).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 3
    saved = Image.fromarray(stored[::-1, ::-1].copy())
    saved.save(tmp_path / "p.png", icc_profile=made.matrix_profile(made.P3, 2.2), exif=exif)
    with Image.open(tmp_path / "p.png") as opened:
        pixels, said = image(opened)
    assert made.delta_e(pixels, RGB).max() <= 1.5 and not said
    same, _ = image(tmp_path / "p.png")
    np.testing.assert_array_equal(pixels, same)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (np.where(RGB > 250, np.nan, RGB / 255), r"holds \d+ values that are not numbers"),
        (np.where(RGB > 250, np.inf, RGB / 255), r"holds \d+ values that are not numbers"),
        (RGB / 127.5 - 1, "holds values from -"),
        (RGB.astype(int) - 100, "holds values from -"),
        (RGB.astype(int) * 1000, "give 0 to 255"),
        (RGB.astype(float) * 100, "give floats of 0 to 1"),
        (RGB[None].repeat(2, 0), "has the shape 2x96x96x3"),
        (np.zeros((96, 96, 7), np.uint8), "has the shape 96x96x7"),
        (np.zeros(96, np.uint8), "has the shape 96"),
        (np.zeros((0, 96, 3), np.uint8), "too small"),
        (np.zeros((8, 8, 3), np.uint8), "too small"),
        (np.zeros((1, 1, 3), np.uint8), "too small"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "too large"),
        (RGB.astype(complex), "holds complex128, not numbers"),
        (np.asarray([["a", "b"]]), "not numbers"),
        ([[1, 2], [3]], "cannot be made an array"),
        ([None, None], "not numbers"),
        (None, "is a NoneType"),
        (3, "is an int"),
        (b"\x89PNG", "is a bytes"),
        ({"portrait": 1}, "is a dict"),
        (object(), "the portrait"),
    ],
)
def test_what_is_no_image(value, says):
    with pytest.raises(InputError, match=says) as error:
        image(value)
    assert "\n" not in str(error.value) and "the portrait" in str(error.value)


def test_an_open_file_is_no_image(tmp_path):
    (tmp_path / "p").write_bytes(b"x")
    with (tmp_path / "p").open("rb") as file, pytest.raises(InputError, match="BufferedReader: give an image file"):
        image(file)


# ---------------------------------------------------------------- audio


@pytest.mark.parametrize(
    "samples",
    {
        "float64": TONE,
        "float32": TONE.astype(np.float32),
        "int16": np.round(TONE * 32768).astype(np.int16),
        "int32": np.round(TONE * 2**31).astype(np.int32),
        "uint8": np.round(TONE * 128 + 128).astype(np.uint8),
        "stereo": np.stack([TONE, TONE], 1),
        "channels first": np.stack([TONE, TONE]),
        "one channel": TONE[:, None],
        "every second": TONE.repeat(2)[::2],
        "list": TONE.tolist(),
        "JAX": jnp.asarray(TONE, jnp.float32),
    }.values(),
)
@pytest.mark.parametrize("order", [1, -1])
def test_every_form_of_the_same_audio(samples, order):
    reader = given.audio((samples, RATE)[::order])
    heard = np.concatenate(list(reader.mono()))
    np.testing.assert_allclose(heard, TONE, atol=0.01)
    assert reader.rate == RATE and reader.frames == 25


def test_samples_are_as_good_as_their_file(tmp_path):
    soundfile.write(tmp_path / "s.wav", TONE, 22_050, subtype="FLOAT")
    file, samples = given.audio(tmp_path / "s.wav"), given.audio((TONE, 22_050))
    np.testing.assert_array_equal(np.concatenate(list(file.mono())), np.concatenate(list(samples.mono())))


def test_nothing_is_left_of_the_samples(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reader = given.audio((TONE, RATE))
    assert len(list(tmp_path.iterdir())) == 1
    del reader
    gc.collect()
    with pytest.raises(InputError):
        given.audio((TONE[:10], RATE))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (TONE, "is a ndarray: give a file, or"),
        (None, "is a NoneType"),
        ((TONE, None), "rate"),
        ((TONE, 0), "rate is 0"),
        ((TONE, -RATE), "rate is -16000"),
        ((TONE, float("nan")), "rate is nan"),
        ((TONE, "16000"), "rate is '16000'"),
        ((TONE, TONE), "rate is a ndarray"),
        ((TONE.tolist(), [[1, 2], [3]]), "rate is a list"),
        ((np.zeros((3, 4, 5)), RATE), "has the shape 3x4x5"),
        ((np.zeros((100, 100)), RATE), "has the shape 100x100"),
        ((np.zeros(0), RATE), "has the shape 0"),
        ((TONE > 0, RATE), "true and false"),
        ((TONE.astype(complex), RATE), "complex128"),
        ((TONE[:100], RATE), "too short"),
        ((b"RIFF", RATE), "bytes"),
    ],
)
def test_what_is_no_audio(value, says):
    with pytest.raises(InputError, match=says) as error:
        given.audio(value)
    assert "\n" not in str(error.value)
    assert "samples.wav" not in str(error.value)


def test_a_talking_face_takes_them(monkeypatch):
    monkeypatch.setattr(portraits, "find_face", lambda image, **_: FaceBox(48.0, 48.0, 40.0))
    face, frames = talking_face(), []
    for portrait in (RGB, RGB / 255, np.dstack([RGB, ALPHA]), Image.fromarray(RGB), RGB.transpose(2, 0, 1)):
        video = face.animate(portrait, (TONE, RATE))
        frames.append(np.stack(list(video.make())))
        assert len(video.info["provenance"]["portrait_sha256"]) == 64 and video.info["notes"] == []
    for other in frames[1:]:
        np.testing.assert_allclose(other.astype(int), frames[0], atol=2)
    video = face.animate(RGB.astype(np.float32), (TONE, RATE))
    assert "taken as 0 to 255" in video.info["notes"][0]
    with pytest.raises(InputError, match="not numbers"):
        face.animate(np.full(RGB.shape, np.nan), (TONE, RATE))
