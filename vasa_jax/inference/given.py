"""Pictures and audio that a program hands over: files, arrays of any sensible form, images of Pillow.

`image(np.zeros((4, 256, 256)))` is an image of 256 x 256 with transparency. What cannot be told is an `InputError`.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.io import wavfile

from vasa_jax import depth, files, images, media
from vasa_jax.errors import InputError

_OVERSHOOT = 0.05  # of white: what enlarging and sharpening add to floats beyond 0..1
_MOST_CHANNELS = 8  # of audio


@dataclasses.dataclass(frozen=True)
class GivenImage:
    """Upright sRGB pixels, what to call them in messages, and the SHA-256 of what was given."""

    pixels: UInt8[np.ndarray, "h w 3"]
    name: str
    sha256: str


def image(value: Any, say: images.Say, name: str = "the portrait") -> GivenImage:
    """The image of a file, an image of Pillow, or an array.

    Args:
      value: a path; a `PIL.Image.Image`; or what NumPy makes an array of (also JAX arrays and nested lists): grey
        [h, w], or 1 to 4 channels (grey, grey and alpha, RGB, RGBA) last or first, alone or in a batch of one;
        uint8, uint16, bool, other integers of 0 to 255 or 65535, or floats of 0 to 1 (or to 255).
      say: called with a line, its name in front, for what was guessed.
      name: what to call an array.

    Raises:
      InputError: it is none of these, or has values that are not numbers or out of range.
    """
    if isinstance(value, str | os.PathLike):
        pixels = images.read_image(value, lambda line: say(f"{value}: {line}"))
        return GivenImage(pixels, str(value), files.sha256(value))
    if isinstance(value, Image.Image):
        pixels = images.from_image(value, name, lambda line: say(f"{name}: {line}"))
    else:
        pixels = _pixels(
            _array(value, name, "an image file, an RGB array [height, width, 3] or a PIL image"), name, say
        )
    return GivenImage(pixels, name, hashlib.sha256(pixels.tobytes()).hexdigest())


def _array(value: Any, name: str, wanted: str) -> np.ndarray:
    problem = f"{name} is {_article(type(value).__name__)}: give {wanted}"
    if value is None or isinstance(value, bytes | bytearray | memoryview | dict | set | io.IOBase):
        raise InputError(problem)
    try:
        array = np.asarray(value)
    except Exception:  # conversions are others' code: arrays on devices, ragged lists, anything
        raise InputError(f"{name} cannot be made an array of numbers: give {wanted}") from None
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype.kind not in "buif" or not array.ndim:
        raise InputError(problem if not array.ndim else f"{name} holds {array.dtype}, not numbers: give {wanted}")
    return array


def _article(word: str) -> str:
    return f"an {word}" if word[0].lower() in "aeiou" else f"a {word}"


def _pixels(array: np.ndarray, name: str, say: images.Say) -> UInt8[np.ndarray, "h w 3"]:
    array = _channels_last(array, name)
    images.check_size(name, (array.shape[1], array.shape[0]))
    samples = _bytes(array, name, say)
    colours = samples[..., :1].repeat(3, -1) if samples.shape[-1] < 3 else samples[..., :3]
    if samples.shape[-1] in (2, 4):
        return images.over_neutral(colours, samples[..., -1])
    return np.ascontiguousarray(colours)


def _channels_last(array: np.ndarray, name: str) -> np.ndarray:
    """[h, w, 1 to 4] of whatever order."""
    shape = "x".join(map(str, array.shape))
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim == 2:
        return array[..., None]
    last, first = (array.ndim == 3 and 1 <= array.shape[axis] <= 4 for axis in (-1, 0))
    if last:
        return array
    if first:
        return array.transpose(1, 2, 0)
    raise InputError(f"{name} has the shape {shape}: give RGB [height, width, 3], RGBA or grey, of one image")


def _bytes(array: np.ndarray, name: str, say: images.Say) -> UInt8[np.ndarray, "h w c"]:
    def say_named(line: str) -> None:
        say(f"{name}: {line}")

    if array.dtype == np.uint8:
        return array
    if array.dtype.kind == "b":
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "f":
        array = array.astype(np.float32)
        if unknown := int(array.size - np.isfinite(array).sum()):
            raise InputError(f"{name} holds {unknown} values that are not numbers (NaN or infinite): replace them")
    least, most = array.min(), array.max()
    if array.dtype.kind == "f":
        full = 1.0 if most <= 1 + _OVERSHOOT else 255.0
        if least < -_OVERSHOOT * full or most > full * (1 + _OVERSHOOT):
            raise InputError(f"{name} holds values from {least:.4g} to {most:.4g}: give floats of 0 to 1, or uint8")
        if full == 255.0:
            say_named(f"floats that go up to {most:.4g} are taken as 0 to 255")
        return (array.clip(0, full) * (255 / full) + 0.5).clip(0, 255).astype(np.uint8)
    if least < 0 or most > 65535:
        raise InputError(f"{name} holds values from {least} to {most}: give 0 to 255 (uint8) or 0 to 65535 (uint16)")
    if most <= 255 and array.dtype != np.uint16:
        return array.astype(np.uint8)
    full = depth.white_of_integers(int(most), say_named)
    return ((array.astype(np.uint32) * 510 + full) // (2 * full)).clip(0, 255).astype(np.uint8)


# ---------------------------------------------------------------- audio


def audio(value: Any) -> media.AudioReader:
    """The recording of a file, or of samples with their rate.

    Args:
      value: a path; or (samples, rate) in either order, samples [n] or with 1 to 8 channels last or first, as floats of
        -1 to 1, int16, int32 or uint8 (128 is silence), rate in Hz.

    Raises:
      InputError: it is neither; or as `media.AudioReader`.
    """
    if isinstance(value, str | os.PathLike):
        return media.AudioReader(value)
    wanted = "a file, or (samples, rate)"
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(f"the audio is {_article(type(value).__name__)}: give {wanted}, the rate in Hz")
    samples, rate = value if _is_single(value[1]) else reversed(value)
    if not _is_rate(rate):
        what = repr(rate) if _is_single(rate) else _article(type(rate).__name__)
        raise InputError(f"the audio's rate is {what:.60}: give {wanted}, the rate in Hz from 1000 to 768000")
    return _reader(_samples(_array(samples, "the audio", wanted)), round(float(rate)))


def _is_single(value: Any) -> bool:
    return not hasattr(value, "__len__") or isinstance(value, str | bytes) or getattr(value, "shape", None) == ()


def _is_rate(rate: Any) -> bool:
    if isinstance(rate, bool | str | bytes) or not _is_single(rate):
        return False
    with contextlib.suppress(TypeError, ValueError, OverflowError):
        return 1000 <= float(rate) <= 768_000
    return False


def _samples(array: np.ndarray) -> Float[np.ndarray, "n c"]:
    shape = "x".join(map(str, array.shape))
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or not array.size or min(array.shape) > _MOST_CHANNELS:
        raise InputError(
            f"the audio has the shape {shape}: give [samples] or [samples, channels], with (samples, rate)"
        )
    if array.shape[1] > array.shape[0] or array.shape[1] > _MOST_CHANNELS:
        array = array.T
    if array.dtype.kind == "b":
        raise InputError("the audio holds true and false: give floats of -1 to 1, or int16")
    if array.dtype == np.uint8:
        return (array.astype(np.float32) - 128) / 128
    if array.dtype.kind == "f":
        return array.astype(np.float32)
    if array.dtype.kind == "i" and array.dtype.itemsize in (1, 2, 4):
        return array.astype(np.float32) / np.float32(-float(np.iinfo(array.dtype).min))
    raise InputError(f"the audio holds {array.dtype}: give floats of -1 to 1, int16, int32 or uint8")


def _reader(samples: Float[np.ndarray, "n c"], rate: int) -> media.AudioReader:
    """Through a file of the reader's own, which goes when it goes: audio is always streamed from one."""
    folder = tempfile.mkdtemp(prefix="vasa_sound_")
    try:
        path = Path(folder) / "samples.wav"
        wavfile.write(path, rate, samples)
        reader = media.AudioReader(path)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise InputError(f"the audio cannot be kept in {folder} ({error.strerror}): make room there") from None
        if isinstance(error, InputError):
            raise InputError(str(error).replace(str(path), "the audio")) from None
        raise
    weakref.finalize(reader, shutil.rmtree, folder, ignore_errors=True)
    return reader
