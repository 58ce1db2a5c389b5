"""Pictures in: any file, as the upright sRGB pixels that it means. Every bad file is one clear line.

`read_image("portrait.jpg")` follows the colour profile, the orientation, the depth and the transparency of the file.
Limits are checked before anything is decoded, because a small file can claim an enormous image.
"""

import contextlib
import functools
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import UInt8
from PIL import ExifTags, Image, ImageCms, ImageStat

from vasa_jax import colour, depth, marks
from vasa_jax.errors import InputError
from vasa_jax.paths import PathLike, check_file

MIN_PIXELS, MAX_PIXELS = 24, 64_000_000
Say = Callable[[str], None]
"""Told, in a line without the file's name, what was guessed or left out."""
NEUTRAL = 128
"""Grey that shows through transparent parts."""
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "TGA", "JPEG2000")
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
_HELD = 1 << 28  # bytes of a file that is read at once
_LOOKED_AT = 100  # frames of an animation among which one with an image is looked for
_FLAT = 2.0  # standard deviation of grey levels below which a frame shows nothing
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


def read_image(path: PathLike, say: Say | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """Reads any image as upright sRGB. Transparent parts become neutral grey, 16 bits become 8.

    Args:
      path: the file.
      say: called with a line for whatever had to be guessed or left out.

    Raises:
      InputError: not an image, damaged, too small, or too large to decode safely.
    """
    path = check_file(path, "an image (PNG, JPEG, WebP, ...)")
    with _one_line(path), path.open("rb") as file:
        head = file.read(1 << 20)
        file.seek(0)
        # A length in the file that lies cannot ask for more memory than the file has bytes.
        source: IO[bytes] = file
        if path.stat().st_size <= _HELD:
            data = _whole_parts(file.read(), say)
            source, head = io.BytesIO(data), data[: len(head)]
        formats = [name for name in (*_FORMATS, *_heif(head, path)) if name in Image.OPEN]
        with Image.open(source, formats=formats) as opened, _muted(opened.format == "TIFF"):
            image = _pixels(opened, str(path), say or _silent, head)
        if say is not None and isinstance(source, io.BytesIO) and marks.is_damaged_jpeg(source.getvalue()):
            say("it is damaged: parts of it may be missing or wrong")
        return image


def _whole_parts(data: bytes, say: Say | None) -> bytes:
    """The file, of a PNG without parts beside the pixels that are damaged: colour profile, text, time, ..."""
    if not data.startswith(marks.PNG):
        return data
    kept = marks.without_damaged_extras(data)
    if len(kept) < len(data) and say is not None:
        say("a part of it beside the pixels is damaged and left out")
    return kept


def from_image(image: Image.Image, name: str, say: Say | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """The same of an image that Pillow holds: its profile and orientation are followed."""
    with _one_line(name):
        return _pixels(image, name, say or _silent)


def check_size(name: PathLike, size: tuple[int, int]) -> None:
    """InputError for images too large to decode safely or too small for a face; size is width and height."""
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(f"{name}: {width}x{height} is too large; at most {MAX_PIXELS // 10**6} megapixels")
    if min(size) < MIN_PIXELS:
        raise InputError(f"{name}: {width}x{height} is too small to show a face; at least {MIN_PIXELS} pixels a side")


def over_neutral(colours: UInt8[np.ndarray, "h w 3"], alpha: UInt8[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Transparent parts made neutral grey."""
    out = np.empty(colours.shape, np.uint8)
    for row, colour_row, alpha_row in zip(out, colours, alpha[..., None].astype(np.uint32), strict=True):
        row[:] = (colour_row * alpha_row + NEUTRAL * (255 - alpha_row) + 127) // 255
    return out


def _silent(line: str) -> None:
    pass


@contextlib.contextmanager
def _one_line(name: PathLike) -> Iterator[None]:
    """Whatever a decoder raises is one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the decoders; our own limits are tighter
            Image.init()  # loads the readers; a build may lack some
            yield
    except Image.DecompressionBombError:
        raise InputError(f"{name}: the image is too large; at most {MAX_PIXELS // 10**6} megapixels") from None
    except MemoryError:
        raise InputError(f"{name} is damaged, or needs more memory than there is: make it smaller") from None
    except InputError:
        raise
    except Exception:  # the decoders raise nearly anything on damaged files
        raise InputError(f"{name} is not a readable image: give a PNG, JPEG or WebP file") from None


@contextlib.contextmanager
def _muted(really: bool) -> Iterator[None]:
    """Nothing on standard error meanwhile: the TIFF library complains there of damaged files, in words of its own."""
    with contextlib.ExitStack() as stack:
        if really:
            with contextlib.suppress(OSError):  # there may be no standard error
                kept = os.dup(2)
                stack.callback(os.close, kept)
                stack.callback(os.dup2, kept, 2)
                sink = os.open(os.devnull, os.O_WRONLY)
                os.dup2(sink, 2)
                os.close(sink)
        yield


def _heif(head: bytes, path: Path) -> tuple[str, ...]:
    """The name of the reader of HEIC files, if this is one; InputError if there is no reader."""
    brands = head[8:12] + head[16 : int.from_bytes(head[:4], "big")] if head[4:8] == b"ftyp" else b""
    if b"avif" in brands or not any(brand in brands for brand in _HEIF_BRANDS):
        return ()
    try:
        import pillow_heif
    except ImportError:
        raise InputError(
            f"{path} is a HEIC image, which needs pillow-heif: pip install 'vasa_jax[heif]', or convert it to JPEG"
        ) from None
    pillow_heif.register_heif_opener()
    return ("HEIF",)


def _pixels(image: Image.Image, name: str, say: Say, head: bytes = b"") -> UInt8[np.ndarray, "h w 3"]:
    check_size(name, image.size)
    image.draft("RGB", (4096, 4096))  # lets JPEG decode large photos at a fraction of their size
    _choose_frame(image, say)
    deep = depth.colour_samples(image)
    # EXIF comes after the pixels: asking a PNG for it loads them, and hides that they are damaged. But the TIFF reader
    # turns what it loads, and not the samples that were read apart.
    apart = deep is not None and image.format == "TIFF"
    turn = _orientation(image, say) if apart else 1
    image.load()
    turn = turn if apart else _orientation(image, say)
    transparent = deep is None and image.has_transparency_data
    alpha = np.asarray(image.convert("RGBA").getchannel("A")) if transparent else None
    if deep is None and image.mode[0] in "IF":
        deep = depth.grey_samples(image, say)
    elif deep is not None:
        deep, alpha = depth.scaled(deep, image, head, say)
    codes = deep if deep is not None else _plain(image)
    pixels = _managed(codes, image, head, say)
    if alpha is not None:
        pixels = over_neutral(pixels, alpha)
    return _turned(pixels, turn)


def _plain(image: Image.Image) -> Image.Image:
    """In one of the modes that profiles are written for: L, RGB, CMYK, LAB; without transparency."""
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    if image.mode in ("1", "LA", "La"):
        return image.convert("LA").convert("L") if image.mode == "La" else image.convert("L")
    return image.convert("RGBA").convert("RGB") if image.mode in ("P", "PA", "RGBa") else image.convert("RGB")


# ---------------------------------------------------------------- which image, and which way up


def _choose_frame(image: Image.Image, say: Say) -> None:
    """Goes to the first frame of an animation that shows something."""
    count = getattr(image, "n_frames", 1) if image.format in _ANIMATED else 1
    if count < 2:
        return
    pages = "pages" if image.format == "TIFF" else "frames"
    budget = min(_LOOKED_AT, count, max(2, 2 * MAX_PIXELS // (image.width * image.height)))
    contrast: list[float] = []
    for index in range(budget):
        image.seek(index)
        check_size("frame", image.size)
        contrast.append(_contrast(image))
        if index == 0 and contrast[0] >= _FLAT:
            break
    # An image that fades in is taken once it is there.
    chosen = next(k for k, value in enumerate(contrast) if value >= max(contrast) / 2)
    image.seek(chosen)
    what = f"{count} {pages}; the first"
    say(f"{what} is taken" if not chosen else f"{what} {chosen} show nothing, number {chosen + 1} is taken")


def _contrast(image: Image.Image) -> float:
    small = image.copy()
    small.thumbnail((256, 256))
    if small.mode[0] in "IF":
        values = np.asarray(small, np.float32)
        return float(255 * values.std() / max(values.max(), 1.0))
    if small.has_transparency_data:
        small = small.convert("RGBA")
        small = Image.alpha_composite(Image.new("RGBA", small.size, (NEUTRAL, NEUTRAL, NEUTRAL, 255)), small)
    return max(ImageStat.Stat(small.convert("RGB")).stddev)


def _orientation(image: Image.Image, say: Say) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # EXIF is a file of its own, and may be damaged in as many ways
        say("its EXIF data are damaged and left out: it may lie on its side")
        return 1


def _turned(image: np.ndarray, orientation: int) -> UInt8[np.ndarray, "h w 3"]:
    """Upright, by the numbers of EXIF."""
    ways: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
        8: np.rot90,
    }
    return np.ascontiguousarray(ways[orientation](image)) if orientation in ways else image


# ---------------------------------------------------------------- colours


def _managed(codes: Image.Image | np.ndarray, image: Image.Image, head: bytes, say: Say) -> UInt8[np.ndarray, "h w 3"]:
    """sRGB of an 8-bit image, or of 16-bit samples [h, w, 3], by what the file says of its colours.

    The numbers of H.273 count most, then an ICC profile, then gamma and primaries, as the PNG specification has it.
    """
    profile = image.info.get("icc_profile")
    numbers = marks.numbers(head) or (profile and colour.described_by_numbers(profile)) or None
    space = None
    if numbers and (not profile or numbers[1] in (colour.PQ, colour.HLG)):
        try:
            space = colour.Space.of(*numbers)
        except ValueError as unknown:
            say(f"{unknown} are not known; its colours are taken as sRGB")
    elif not profile and "icc_profile" in image.info or not profile and marks.has_profile(head):
        say("its colour profile is damaged; its colours are taken as sRGB")
    elif not profile:
        space = marks.space(head) or (colour.Space.adobe() if marks.is_adobe(image) else None)
    if space is not None and not space.is_srgb:
        if space.hdr:
            say(f"HDR ({space.curve_name}): what is brighter than white is rolled off")
        return colour.to_srgb(codes if isinstance(codes, np.ndarray) else np.asarray(codes.convert("RGB")), space)
    if isinstance(codes, np.ndarray):
        exact = colour.profile_to_srgb(codes, profile) if profile and space is None else None
        if exact is not None:
            return exact
        grey = (codes[..., 0] == codes[..., 1]).all() and (codes[..., 0] == codes[..., 2]).all()
        codes = Image.fromarray(depth.to_bytes(codes[..., 0] if grey else codes))
    if profile and space is None:
        codes = _by_profile(codes, profile, say)
    elif codes.mode == "CMYK":
        say("CMYK without a colour profile: its colours are a guess")
    return np.array(codes.convert("RGB"))


def _by_profile(codes: Image.Image, profile: bytes, say: Say) -> Image.Image:
    """By the profile, as photographs are shown (perceptual intent); the same image where it means sRGB."""
    modes = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "Lab": "LAB"}
    srgb = ImageCms.createProfile("sRGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        kind = source.profile.xcolor_space.strip()
        if modes.get(kind) == "RGB" and codes.mode == "L":
            codes = codes.convert("RGB")
        if modes.get(kind) != codes.mode:
            say(f"its colour profile is for {kind}, its pixels are {codes.mode}; its colours are taken as sRGB")
            return codes
        transform = ImageCms.buildTransform(source, srgb, codes.mode, "RGB", ImageCms.Intent.PERCEPTUAL)
        if codes.mode == "RGB":
            cube = _cube()
            moved = np.asarray(ImageCms.applyTransform(Image.fromarray(cube), transform)).astype(int) - cube
            if np.abs(moved).max() <= 2:
                return codes
        shown = ImageCms.applyTransform(codes, transform)
        assert shown is not None  # as it would be in place
        return shown
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        say("its colour profile cannot be used; its colours are taken as sRGB")
        return codes


@functools.cache
def _cube() -> UInt8[np.ndarray, "h w 3"]:
    """Every mixture of 18 steps of red, green and blue."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    return np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(18, -1, 3)
