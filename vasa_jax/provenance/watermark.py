"""An invisible mark in the image itself, which stays when a video is coded again, scaled, cropped or made a GIF.

    frame = watermark.mark_frame(frame, key_id, index)     # the last step before an encoder or a user
    found = watermark.find(media.VideoReader(path))        # found.found, found.key_id, found.bit_error

The mark is a sum of waves of `LOW` to `HIGH` periods an image, whose strength swings `SWING` times a second between
plus and minus: weaker where an image is plain, stronger where it is rich. As it is laid over the image and not over
pixels, and goes by time and not by frames, size and frame rate do not matter. The signs of the waves say 64 bits: half
of them a fixed pattern, half the name of a key as four letters of an alphabet of 256.

The detector takes from every pixel what swings in that time, which leaves little of the image (its swing is that of a
moving head), evens it out, supposes a crop and a scale, and adds up the waves with the signs of the fixed half. To
a video without the mark these signs, drawn by a hash, are coins. For a sum of terms with such signs
P(sum > t * root of the terms' squares) <= exp(-t^2 / 2) (Hoeffding 1963, theorem 2), and as many times that as places
were tried: the thresholds follow from `FALSE_POSITIVES`, and nothing in them is fitted to videos.

It does not withstand somebody who reads this file and wants it gone.
"""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import scipy.fft
from jaxtyping import Complex, Float, UInt8

FPS = 25
SWING = 1.25
"""Periods a second."""
LOW, HIGH = 6, 32
BITS = 32
"""Of the fixed pattern, and of a key's name."""
FALSE_POSITIVES = 1e-6
"""Chance at most that a video which has nothing to do with the mark is said to carry it."""
STRENGTH = 1.9
"""Root mean square of the mark at its height over time and place, in levels of 255: 42.5 dB."""
_GRID = 192  # pixels a side of the small image that is looked at
_LETTERS, _ALPHABET = 4, 256
_WAVES = 24  # of each bit
_FIXED = BITS * _WAVES
_TILT = 0.8
_SEED = b"vasa_jax watermark 1"
_LEAST_SIDE = 32
_BLOCK, _MOST_BLOCKS = 125, 24  # frames looked at together, and how many such
_LEAST_FRAMES = 12

Place = tuple[float, float, float, float]
"""(height, width, top, left) of a video in the marked image, as shares of it."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What the detector says.

    Attributes:
      found: whether the mark is there.
      key_id: eight hexadecimal digits that name the key; None without a mark, or where they cannot be read for sure.
      bit_error: share of the fixed pattern's bits that read wrong, at the place that fits best: about a half of them
        read wrong where there is no mark and a single place is looked at, fewer at the best of many.
      score, threshold: in standard deviations of a video without the mark.
      place: where in the marked image the video lies.
    """

    found: bool
    key_id: str | None
    bit_error: float
    score: float
    threshold: float
    place: Place = (1.0, 1.0, 0.0, 0.0)


# ---- the waves and what they say -------------------------------------------------------------------------------------


def _drawn(what: str, count: int) -> np.ndarray:
    """`count` numbers of 64 bits, the same everywhere and for ever."""
    return np.frombuffer(hashlib.shake_256(_SEED + what.encode()).digest(8 * count), "<u8")


def _signs(what: str, *shape: int) -> Complex[np.ndarray, "*shape"]:
    """Signs of cosine and sine."""
    signs = np.where(_drawn(what, 2 * int(np.prod(shape))) >> np.uint64(63), 1.0, -1.0).reshape(2, *shape)
    return (signs[0] + 1j * signs[1]).astype(np.complex64)


@dataclasses.dataclass(frozen=True)
class _Waves:
    """In the order of the bits: periods down and across, strength, and the ring of like frequency."""

    y: np.ndarray
    x: np.ndarray
    strength: np.ndarray
    ring: np.ndarray


@functools.cache
def _waves() -> _Waves:
    y, x = (v.ravel() for v in np.mgrid[-HIGH : HIGH + 1, : HIGH + 1])
    radius = np.hypot(y, x)
    inside = (radius >= LOW) & (radius <= HIGH) & ((x > 0) | (y > 0))
    y, x, radius = y[inside], x[inside], radius[inside]
    order = np.argsort(_drawn("order", len(y)), kind="stable")[: 2 * _FIXED]
    y, x, radius = y[order], x[order], radius[order]
    return _Waves(y, x, ((LOW / radius) ** _TILT).astype(np.float32), ((radius - LOW) / 2).astype(int))


@functools.cache
def _pattern_signs() -> Complex[np.ndarray, "f"]:
    return _signs("fixed", _FIXED)


@functools.cache
def _alphabet() -> Complex[np.ndarray, "letters alphabet n"]:
    return _signs("letters", _LETTERS, _ALPHABET, _FIXED // _LETTERS)


@functools.lru_cache(8)
def _pattern(height: int, width: int, key_id: int) -> Float[np.ndarray, "h w"]:
    """The mark of an image of that size at its height, root mean square 1."""
    rows, columns = max(height, 2 * HIGH + 2), max(width, 2 * HIGH + 2)
    waves = _waves()
    letters = [_alphabet()[i, value] for i, value in enumerate(key_id.to_bytes(_LETTERS, "big"))]
    value = np.concatenate([_pattern_signs(), *letters]) * waves.strength
    # Counted from the edge of the image, and not from the centre of its first pixel.
    value = value * np.exp(1j * np.pi * (waves.y / rows + waves.x / columns))
    spectrum = np.zeros((rows, columns // 2 + 1), np.complex64)
    spectrum[waves.y % rows, waves.x] = value
    edge = waves.x == 0
    spectrum[-waves.y[edge] % rows, 0] = value[edge].conj()
    wave = scipy.fft.irfft2(spectrum, (rows, columns))
    if (rows, columns) != (height, width):
        wave = cv2.resize(wave, (width, height), interpolation=cv2.INTER_AREA)
    return (wave / wave.std()).astype(np.float32)


# ---- marking ---------------------------------------------------------------------------------------------------------


def mark(
    frames: Iterable[UInt8[np.ndarray, "h w 3"]], key_id: int, fps: float = FPS
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """`mark_frame` of all frames of a video."""
    for index, frame in enumerate(frames):
        yield mark_frame(frame, key_id, index, fps)


def mark_frame(
    frame: UInt8[np.ndarray, "h w 3"], key_id: int, index: int, fps: float = FPS
) -> UInt8[np.ndarray, "h w 3"]:
    """The frame with the mark. Pure: nothing is kept from frame to frame.

    Args:
      frame: as it would leave, badge included; one with a side below 32 pixels comes back as it is.
      key_id: 0..2^32 - 1, of `keys.key_id`.
      index: of the frame in its video.
      fps: frames a second.
    """
    height, width = frame.shape[:2]
    if min(height, width) < _LEAST_SIDE:
        return frame
    swing = np.sqrt(2) * np.sin(2 * np.pi * SWING * index / fps)
    room = cv2.resize(np.float32(swing) * _room(frame), (width, height), interpolation=cv2.INTER_LINEAR)
    room *= _pattern(height, width, key_id)
    room += _dither(height, width)
    step = np.floor(room, out=room).astype(np.int16)
    return cv2.add(frame, cv2.merge([step] * 3), dtype=cv2.CV_8U)


def _room(frame: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "128 128"]:
    """How strong the mark may be at each place: by what goes on in the plainest spot near by, so that a plain ground
    beside an edge shows nothing."""
    luma = _small(frame, 128)
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 4.0)
    activity = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 1.5))
    plainest = cv2.erode(activity, np.ones((5, 5), np.uint8))
    room = cv2.GaussianBlur(np.clip(0.3 + 0.35 * plainest, 0.5, 4.0), (0, 0), 2.0)
    return room * min(1.0, STRENGTH / float(np.sqrt(np.mean(room * room))))


@functools.lru_cache(8)
def _dither(height: int, width: int) -> Float[np.ndarray, "h w"]:
    """Ordered thresholds (Bayer) for rounding: the mark of half a level is there in the mean."""
    tile = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    return np.tile((tile.astype(np.float32) + 0.5) / 16, (-(-height // 4), -(-width // 4)))[:height, :width]


def _small(frame: UInt8[np.ndarray, "h w 3"], side: int) -> Float[np.ndarray, "s s"]:
    luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32)
    how = cv2.INTER_AREA if min(luma.shape) >= side else cv2.INTER_LINEAR
    return cv2.resize(luma, (side, side), interpolation=how)


# ---- looking for it --------------------------------------------------------------------------------------------------

_TURNS = 6  # times at which a swing may begin, over half a period; the other half is the sign
_FINE = 128  # shifts along a side
_NARROW = np.arange(0.84, 1.041, 0.02)  # heights and widths of a crop, apart
_WIDE = 0.5 * 1.015 ** np.arange(94)  # and together
_AS_IT_IS = 2 * _TURNS
_WHOLE = (1.0, 1.0, 0.0, 0.0)
_TRIED = 2 * _TURNS * ((len(_NARROW) ** 2 + len(_WIDE)) * _FINE**2 + 2_000)
THRESHOLD = float(np.sqrt(2 * np.log(2 * _AS_IT_IS / FALSE_POSITIVES)))
"""Of a video that is looked at as it is."""
SEARCH_THRESHOLD = float(np.sqrt(2 * np.log(2 * _TRIED / FALSE_POSITIVES)))
"""Of one for which all crops, scales and shifts were tried."""
_SURE = 1.5  # standard deviations by which a letter must stand before the next


def find(frames: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Found:
    """Looks for the mark in a video of 25 frames a second; up to its first two minutes.

    A second and a half is needed; the mark of one that is coded hard takes longer to show.
    """
    swings = swinging(frames)
    return Found(False, None, 0.5, 0.0, THRESHOLD) if swings is None else find_in(swings)


def as_it_is(swings: Complex[np.ndarray, "g g"]) -> tuple[float, int]:
    """The best score of a video that is neither cropped nor scaled, and its turn."""
    return max((_score(_turned(swings, k), _WHOLE), k) for k in range(2 * _TURNS))


def find_in(swings: Complex[np.ndarray, "g g"]) -> Found:
    """`find`, in what `swinging` gives."""
    place = _WHOLE
    score, turn = as_it_is(swings)
    if score >= THRESHOLD:
        score, place = _nearer(_turned(swings, turn), place)  # a crop of a few pixels is found so, and misread else
        return _read(_turned(swings, turn), place, score, THRESHOLD)
    score, turn, place = _search(swings)
    score, place = _nearer(_turned(swings, turn), place)
    return _read(_turned(swings, turn), place, score, SEARCH_THRESHOLD)


def swinging(frames: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Complex[np.ndarray, "g g"] | None:
    """What swings with the mark's period, as (sine, cosine) in real and imaginary part, evened out; None of too few
    frames."""
    small = (_small(frame, _GRID) for frame in itertools.islice(frames, _BLOCK * _MOST_BLOCKS))
    total, start = None, 0
    while block := list(itertools.islice(small, _BLOCK)):
        if len(block) >= _LEAST_FRAMES:
            one = _evened(_demodulated(np.stack(block), start)) * np.float32(np.sqrt(len(block)))
            total = one if total is None else total + one
        start += len(block)
    return total


def _demodulated(block: Float[np.ndarray, "t g g"], start: int) -> Complex[np.ndarray, "g g"]:
    """Sine and cosine of the swing by least squares beside a constant and a slope, which is what stands still."""
    time = (start + np.arange(len(block))) / FPS
    angle = 2 * np.pi * SWING * time
    basis = np.stack([np.ones_like(time), (time - time.mean()) / np.ptp(time), np.sin(angle), np.cos(angle)], 1)
    rows = np.linalg.pinv(basis, rcond=0.02)[2:].astype(np.float32)
    sine, cosine = np.tensordot(rows, block, 1)
    return sine + 1j * cosine


@functools.cache
def _bands() -> tuple[tuple[Float[np.ndarray, "g r"], float], ...]:
    """Filters half an octave wide, and the widths over which their output is evened."""
    y, x = np.fft.fftfreq(_GRID, 1 / _GRID)[:, None], np.arange(_GRID // 2 + 1)[None]
    octave = np.log2(np.maximum(np.hypot(y, x), 0.5))
    centres = LOW * 1.15 * 2 ** (0.42 * np.arange(6))
    return tuple(
        (np.exp(-0.5 * ((octave - np.log2(c)) / 0.25) ** 2).astype(np.float32), 0.5 * _GRID / c) for c in centres
    )


def _evened(image: Complex[np.ndarray, "g g"]) -> Complex[np.ndarray, "g g"]:
    """Each band over its own strength near by: places of much motion count no more than others."""
    spectra = [scipy.fft.rfft2(part.astype(np.float32)) for part in (image.real, image.imag)]
    out = np.zeros((2, _GRID, _GRID), np.float32)
    for band, width in _bands():
        parts = [scipy.fft.irfft2(spectrum * band, (_GRID, _GRID)).astype(np.float32) for spectrum in spectra]
        power = cv2.GaussianBlur(parts[0] ** 2 + parts[1] ** 2, (0, 0), width)
        out += np.stack(parts) / (power + _QUIET)
    return out[0] + 1j * out[1]


_QUIET = 0.15  # squared levels: what is less than this is not told from nothing


def _turned(swings: Complex[np.ndarray, "g g"], turn: int) -> Float[np.ndarray, "g g"]:
    return np.real(swings * np.exp(-1j * np.pi * turn / _TURNS)).astype(np.float32)


@functools.lru_cache(1024)
def _sums(scale: float, signed: bool) -> Complex[np.ndarray, "f g"]:
    at = (np.arange(_GRID) + 0.5) / _GRID * scale
    return np.exp(-2j * np.pi * np.outer(np.arange(-HIGH if signed else 0, HIGH + 1), at)).astype(np.complex64)


def _rows(image: Float[np.ndarray, "g g"], scale: float) -> Complex[np.ndarray, "f g"]:
    return _sums(scale, True) @ image


def _spectrum(rows: Complex[np.ndarray, "f g"], scale: float) -> Complex[np.ndarray, " n"]:
    """Of the waves, each ring of frequencies brought to the same strength and weighted as the mark is."""
    waves = _waves()
    value = (rows @ _sums(scale, False).T)[waves.y + HIGH, waves.x]
    power = np.bincount(waves.ring, value.real**2 + value.imag**2) / np.maximum(np.bincount(waves.ring), 1)
    return value * (np.sqrt(waves.strength) / np.sqrt(power + 1e-20)[waves.ring])


def _norm(spectrum: Complex[np.ndarray, " n"]) -> float:
    return float(np.linalg.norm(spectrum[:_FIXED])) + 1e-20


def _moved(image: Float[np.ndarray, "g g"], place: Place) -> Complex[np.ndarray, " n"]:
    """The spectrum of a video that lies at `place` in the marked image."""
    height, width, top, left = place
    waves = _waves()
    turn = np.exp(-2j * np.pi * (waves.y * top + waves.x * left))
    return _spectrum(_rows(image, height), width) * turn


def _score(image: Float[np.ndarray, "g g"], place: Place) -> float:
    moved = _moved(image, place)
    return float((moved[:_FIXED] * _pattern_signs().conj()).real.sum()) / _norm(moved)


@functools.cache
def _targets() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    waves = _waves()
    y, x = waves.y[:_FIXED], waves.x[:_FIXED]
    return y % _FINE, x, -y[x == 0] % _FINE, x == 0


def _best_shift(spectrum: Complex[np.ndarray, " n"]) -> tuple[float, float, float, float]:
    """(score, its sign, top, left) of the shift at which the sum is largest or smallest."""
    product = (spectrum[:_FIXED] * _pattern_signs().conj()).astype(np.complex64)
    y, x, edge_y, edge = _targets()
    grid = np.zeros((_FINE, _FINE // 2 + 1), np.complex64)
    grid[y, x] = product.conj()
    grid[edge_y, 0] = product[edge]
    sums = scipy.fft.irfft2(grid, (_FINE, _FINE))
    at = np.argmax(np.abs(sums))
    top, left = np.unravel_index(at, sums.shape)
    value = float(sums.flat[at]) * _FINE**2 / 2 / _norm(spectrum)
    return abs(value), np.sign(value), top / _FINE, left / _FINE


def _search(swings: Complex[np.ndarray, "g g"]) -> tuple[float, int, Place]:
    """The best (score, turn, place) of all."""
    best: tuple[float, int, Place] = (0.0, 0, (1.0, 1.0, 0.0, 0.0))
    sides: list[tuple[float, Iterable[float]]] = [*((h, _NARROW) for h in _NARROW), *((s, (s,)) for s in _WIDE)]
    for turn in range(_TURNS):
        image = _turned(swings, turn)
        for height, widths in sides:
            rows = _rows(image, height)
            for width in widths:
                score, sign, top, left = _best_shift(_spectrum(rows, width))
                if score > best[0]:
                    best = score, turn + (_TURNS if sign < 0 else 0), (float(height), float(width), top, left)
    return best


def _nearer(image: Float[np.ndarray, "g g"], place: Place) -> tuple[float, Place]:
    """Climbs from a place to the best near by."""
    score, step = _score(image, place), 0.01
    while step > 0.001:
        steps: list[tuple[float, Place]] = []
        for i, sign in itertools.product(range(4), (1, -1)):
            near = list(place)
            near[i] += sign * step
            if i < 2:  # about the centre
                near[i + 2] -= sign * step / 2
            height, width, top, left = near
            steps.append((_score(image, (height, width, top, left)), (height, width, top, left)))
        if max(steps)[0] > score:
            score, place = max(steps)
        else:
            step /= 2
    return score, place


def _read(image: Float[np.ndarray, "g g"], place: Place, score: float, threshold: float) -> Found:
    moved = _moved(image, place)
    bits = (moved[:_FIXED] * _pattern_signs().conj()).real.reshape(BITS, _WAVES).sum(1)
    letters = moved[_FIXED:].reshape(_LETTERS, -1)
    norm = np.linalg.norm(letters, axis=1)[:, None] + 1e-20
    sums = np.einsum("lan,ln->la", _alphabet().conj(), letters).real / norm
    found, ordered = score >= threshold, np.sort(sums, 1)
    sure = found and bool((ordered[:, -1] - ordered[:, -2] >= _SURE).all())
    name = bytes(sums.argmax(1).tolist()).hex() if sure else None
    height, width, top, left = map(float, place)
    return Found(found, name, float((bits < 0).mean()), score, threshold, (height, width, top, left))
