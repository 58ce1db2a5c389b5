"""Samples of more than 8 bits: how many bits they really have, and what is white.

Cameras and scanners store 10, 12 or 14 bits in files of 16, often as they are: white is 4095, not 65535.
"""

from typing import Any

import av
import numpy as np
from jaxtyping import UInt8, UInt16
from PIL import Image

from vasa_jax import marks

_MAX_SAMPLE_VALUE, _PHOTOMETRIC = 281, 262  # tags of TIFF
_PIPES = {"PNG": "png_pipe", "TIFF": "tiff_pipe"}


def colour_samples(image: Image.Image) -> UInt16[np.ndarray, "h w c"] | None:
    """All bits of a colour image of 16 bits a channel, [h, w, 3 or 4], before it is loaded.

    Pillow keeps the upper eight. None if there are no more than that, or another decoder does not agree on the image.
    """
    tiles = getattr(image, "tile", None)
    raw = tiles[0].args if tiles else ""
    raw = raw if isinstance(raw, str) else raw[0] if raw and isinstance(raw[0], str) else ""
    file = getattr(image, "fp", None)
    if ";16" not in raw or not raw.startswith("RGB") or image.format not in _PIPES or file is None:
        return None
    if getattr(image, "n_frames", 1) > 1 or image.has_transparency_data != raw.startswith("RGBA"):
        return None
    place = file.tell()
    try:
        file.seek(0)
        with av.open(file, format=_PIPES[image.format]) as container:
            frame = next(container.decode(video=0))
            if frame.format.name not in ("rgb48be", "rgb48le", "rgba64be", "rgba64le"):
                return None
            samples = frame.to_ndarray()
    except (av.error.FFmpegError, OSError, ValueError, StopIteration):
        return None
    finally:
        file.seek(place)
    agree = sorted(samples.shape[:2]) == sorted(image.size) and samples.shape[2] == len(image.mode)
    return samples.astype(np.uint16, copy=False) if agree else None


def scaled(samples: UInt16[np.ndarray, "h w c"], image: Image.Image, head: bytes, say) -> tuple[np.ndarray, Any]:
    """Colours [h, w, 3] with white at 65535, and the transparency [h, w] in 8 bits or None."""
    colours, alpha = samples[..., :3], samples[..., 3:]
    full = _white(int(colours.max()), _declared(image, head), say)
    return _stretched(colours, full), to_bytes(alpha[..., 0]) if alpha.size else None


def grey_samples(image: Image.Image, say) -> UInt16[np.ndarray, "h w 3"]:
    """Grey of any number type with white at 65535, as three equal channels."""
    values = np.asarray(image)
    if image.mode == "F":
        values = _known(values, say)
        full = white_of_floats(float(values.max(initial=0.0)))
        values = np.clip(values * (65535.0 / full) + 0.5, 0, 65535).astype(np.uint16)
    else:
        values = np.clip(values, 0, 65535).astype(np.uint16)
        values = _stretched(values, _white(int(values.max(initial=0)), _declared(image, b""), say))
    if image.format == "TIFF" and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0:
        values = 65535 - values  # white is zero
    return np.repeat(values[..., None], 3, axis=-1)


def white_of_floats(most: float) -> float:
    """What stands for white in floats: 1, with room for what sharpening adds, or the largest of 8 or 16 bits."""
    return next((full for full, limit in ((1.0, 2.0), (255.0, 256.0), (65535.0, 65536.0)) if most <= limit), most)


def white_of_integers(most: int, say) -> int:
    """What stands for white in integers of more than 8 bits."""
    return _white(most, None, say)


def to_bytes(samples: UInt16[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """16 bits to 8, rounded."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _known(values: np.ndarray, say) -> np.ndarray:
    unknown = int(values.size - np.isfinite(values).sum())
    if unknown:
        say(f"{unknown} pixels are not numbers and count as black")
    return np.nan_to_num(values, posinf=0.0, neginf=0.0) if unknown else values


def _stretched(values: UInt16[np.ndarray, "..."], full: int) -> UInt16[np.ndarray, "..."]:
    return values if full == 65535 else (values.astype(np.uint32) * 65535 // full).clip(0, 65535).astype(np.uint16)


def _declared(image: Image.Image, head: bytes) -> int | None:
    """The bits that the file says count."""
    value = getattr(image, "tag_v2", {}).get(_MAX_SAMPLE_VALUE)
    if value is not None:
        most = max(value) if isinstance(value, tuple) else value
        return int(most).bit_length() if 0 < most < 65535 else None
    return marks.significant_bits(head)


def _white(most: int, declared: int | None, say) -> int:
    """The sample that stands for white, given the largest there is."""
    bits = declared if declared and 8 <= declared < 16 and most < 1 << declared else None
    if bits is None and 0 < most < 4096:
        bits = next(n for n in (8, 10, 12) if most < 1 << n)
    if bits is None:
        return 65535
    say(f"samples of 16 bits that go up to {most} only: taken as {bits} bits")
    return (1 << bits) - 1
