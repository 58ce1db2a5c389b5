"""Colours as files mean them, brought to sRGB: by the numbers of ITU-T H.273, by a gamma, or by a profile's curves.

`to_srgb(codes, Space.of(primaries=12, transfer=13))` turns Display P3 into what a screen of the web shows.

PQ and HLG (ITU-R BT.2100) hold more light than sRGB can: reference white, 203 cd/m2 (ITU-R BT.2408), becomes white,
and what is brighter is rolled off above `_KNEE`, the hue kept.
"""

import dataclasses
import functools
import struct

import numpy as np
from jaxtyping import Float, UInt8, UInt16

REC709, REC2020, P3, PQ, HLG = 1, 9, 12, 16, 18
"""Numbers of H.273 that are spoken of elsewhere: three sets of primaries and two transfer characteristics."""
NOT_SAID = (0, 2, 3)
_D65 = (0.3127, 0.3290)
_PRIMARIES = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), (0.310, 0.316)),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_ADOBE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), _D65)
# Curves for a display near sRGB's: shown as they are, as every player does.
_PLAIN = {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15}
_BRADFORD = np.asarray([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
# sRGB's primaries as ICC profiles hold them: adapted to D50, one a column.
_SRGB_D50 = np.asarray(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_WHITE = 203.0  # cd/m2 of white in PQ and HLG
_KNEE = 0.9  # of white, in light: below it HDR is kept as it is
_STRIP = 1 << 19  # pixels converted at once, so that memory does not grow with the image

Codes = UInt8[np.ndarray, "h w 3"] | UInt16[np.ndarray, "h w 3"]
Curves = Float[np.ndarray, "3 n"]


@dataclasses.dataclass(frozen=True)
class Space:
    """Primaries and white as xy chromaticities, and the curve: "srgb", "pq", "hlg", or the exponent of a power."""

    primaries: tuple[tuple[float, float], ...] = _PRIMARIES[REC709]
    curve: str | float = "srgb"

    @classmethod
    def of(cls, primaries: int, transfer: int) -> "Space":
        """The space of two numbers of H.273; what is not said is taken as sRGB. ValueError names what is unknown."""
        if transfer not in _PLAIN | {0, 8, PQ, HLG}:
            raise ValueError(f"transfer characteristics {transfer}")
        if primaries not in _PRIMARIES and primaries not in NOT_SAID:
            raise ValueError(f"colour primaries {primaries}")
        wide = transfer in (PQ, HLG)
        known = _PRIMARIES.get(primaries, _PRIMARIES[REC2020 if wide else REC709])
        curves: dict[int, str | float] = {8: 1.0, PQ: "pq", HLG: "hlg"}
        return cls(known, curves.get(transfer, "srgb"))

    @classmethod
    def adobe(cls) -> "Space":
        """Adobe RGB (1998), which cameras mark in EXIF alone."""
        return cls(_ADOBE, 563 / 256)

    @property
    def hdr(self) -> bool:
        """Does it hold more light than white?"""
        return self.curve in ("pq", "hlg")

    @property
    def curve_name(self) -> str:
        """For people."""
        return str(self.curve).upper()

    @property
    def is_srgb(self) -> bool:
        """To the eye: primaries within rounding, and the curve or a power that stands for it."""
        near = np.allclose(self.primaries, _PRIMARIES[REC709], atol=0.003)
        return near and (self.curve == "srgb" or (not isinstance(self.curve, str) and 2.1 < self.curve < 2.3))


def to_srgb(codes: Codes, space: Space) -> UInt8[np.ndarray, "h w 3"]:
    """sRGB of full-range codes of that space."""
    count = np.iinfo(codes.dtype).max + 1
    matrix = np.linalg.inv(_to_xyz(_PRIMARIES[REC709])) @ _to_xyz(space.primaries)
    table = _light(space.curve, count)
    return _convert(codes, np.stack([table] * 3), matrix, space.curve)


def profile_to_srgb(codes: UInt16[np.ndarray, "h w 3"], profile: bytes) -> UInt8[np.ndarray, "h w 3"] | None:
    """sRGB of 16-bit codes of an ICC profile of curves and, for colour, a matrix; None for profiles of another kind.

    The library for profiles at hand converts 8-bit codes only, and those are too few for a linear profile.
    """
    found = _curves_and_matrix(profile)
    return None if found is None else _convert(codes, *found, "icc")


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> Float[np.ndarray, "3 3"]:
    """Linear RGB to XYZ at D65; another white is adapted (Bradford)."""
    columns = np.asarray([(x / y, 1.0, (1 - x - y) / y) for x, y in primaries]).T
    white, points = columns[:, 3], columns[:, :3]
    matrix = points * np.linalg.solve(points, white)
    x, y = _D65
    cones, wanted = _BRADFORD @ white, _BRADFORD @ [x / y, 1.0, (1 - x - y) / y]
    return np.linalg.inv(_BRADFORD) @ np.diag(wanted / cones) @ _BRADFORD @ matrix


@functools.lru_cache(maxsize=8)
def _light(curve: str | float, count: int) -> Float[np.ndarray, " n"]:
    """Light of each of `count` codes, white 1; HLG's as in the scene (`_display` follows)."""
    x = np.linspace(0.0, 1.0, count)
    if curve == "srgb":
        light = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    elif curve == "pq":
        root = x ** (32 / 2523)
        light = (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (8192 / 1305) * (10000 / _WHITE)
    elif curve == "hlg":
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(x <= 0.5, x * x / 3, (np.exp((x - c) / a) + b) / 12)
    else:
        light = x ** float(curve)
    return light.astype(np.float32)


@functools.cache
def _codes() -> UInt8[np.ndarray, " n"]:
    """sRGB codes of 65536 steps of light."""
    light = np.linspace(0.0, 1.0, 65536)
    code = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (code * 255 + 0.5).astype(np.uint8)


def _convert(codes: np.ndarray, curves: Curves, matrix: np.ndarray, kind: str | float) -> UInt8[np.ndarray, "h w 3"]:
    out = np.empty(codes.shape, np.uint8)
    rows = max(1, _STRIP // codes.shape[1])
    mixing = matrix.T.astype(np.float32)
    for top in range(0, len(codes), rows):
        part = codes[top : top + rows]
        light = np.stack([curves[k].take(part[..., k]) for k in range(3)], axis=-1)
        if kind == "hlg":
            # The system's gamma for a display of 1000 cd/m2.
            brightness = light @ np.asarray([0.2627, 0.6780, 0.0593], np.float32)
            light *= (np.power(brightness, np.float32(0.2)) * np.float32(1000 / _WHITE))[..., None]
        light = np.maximum(light @ mixing, 0)
        if kind in ("pq", "hlg"):
            most = np.maximum(light.max(-1), 1e-6)
            over = np.maximum(most - _KNEE, 0) / (1 - _KNEE)
            light *= ((np.minimum(most, _KNEE) + (1 - _KNEE) * (1 - np.exp(-over))) / most)[..., None]
        out[top : top + rows] = _codes().take((np.minimum(light, 1) * 65535 + 0.5).astype(np.uint16))
    return out


# ---------------------------------------------------------------- ICC profiles


def _curves_and_matrix(profile: bytes) -> tuple[Curves, Float[np.ndarray, "3 3"]] | None:
    """Curves of three channels for 65536 codes, and the matrix from their light to sRGB's; None if there are none."""
    try:
        tags = _tags(profile)
        if profile[16:20] == b"GRAY" and b"kTRC" in tags:
            return np.stack([_curve(tags[b"kTRC"])] * 3), np.eye(3)
        names = (b"rTRC", b"gTRC", b"bTRC", b"rXYZ", b"gXYZ", b"bXYZ")
        # A profile with tables means the tables.
        if profile[16:20] != b"RGB " or b"A2B0" in tags or not all(name in tags for name in names):
            return None
        points = [np.asarray(struct.unpack(">3i", tags[name][8:20])) / 65536 for name in names[3:]]
        return np.stack([_curve(tags[name]) for name in names[:3]]), np.linalg.inv(_SRGB_D50) @ np.stack(points, 1)
    except (struct.error, ValueError, IndexError, KeyError, FloatingPointError):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack(">I", profile[128:132])
    rows = [struct.unpack(">4sII", profile[at : at + 12]) for at in range(132, 132 + 12 * min(count, 100), 12)]
    return {name: profile[start : start + size] for name, start, size in rows}


def described_by_numbers(profile: bytes) -> tuple[int, int] | None:
    """The primaries and transfer of H.273 that a profile may name (tag `cicp`)."""
    try:
        tag = _tags(profile).get(b"cicp", b"")
    except struct.error:
        return None
    return (tag[8], tag[9]) if len(tag) >= 12 else None


def _curve(tag: bytes) -> Float[np.ndarray, " n"]:
    x = np.linspace(0.0, 1.0, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack(">I", tag[8:12])
        values = np.frombuffer(tag[12 : 12 + 2 * count], ">u2")
        if count == 0:
            light = x
        elif count == 1:
            light = x ** (values[0] / 256)
        else:
            light = np.interp(x, np.linspace(0, 1, len(values)), values / 65535)
    elif tag[:4] == b"para":
        kind = struct.unpack(">H", tag[8:10])[0]
        g, a, b, c, d, e, f = np.zeros(7)
        count = (1, 3, 4, 5, 7)[kind]
        given = np.asarray(struct.unpack(f">{count}i", tag[12 : 12 + 4 * count])) / 65536
        g, a = given[0], np.float64(1.0)
        if kind:
            a, b = given[1:3]
            d = -b / a
        if kind == 2:
            e = f = given[3]
        if kind >= 3:
            c, d = given[3:5]
        if kind == 4:
            e, f = given[5:7]
        light = np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    else:
        raise ValueError("no curve")
    return np.clip(light, 0, 1).astype(np.float32)
