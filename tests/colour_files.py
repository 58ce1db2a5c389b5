"""Colours worked out by hand, and the files that carry them: what a reader must get right, from an independent side."""

import struct
import zlib

import numpy as np

_D65, _D50 = np.asarray([0.95047, 1.0, 1.08883]), np.asarray([0.96422, 1.0, 0.82521])
# Linear RGB to XYZ, white at D65 (columns are the primaries), as their standards print them.
SRGB = np.asarray([[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]])
P3 = np.asarray([[0.486571, 0.265668, 0.198217], [0.228975, 0.691739, 0.079287], [0.0, 0.045113, 1.043944]])
REC2020 = np.asarray([[0.636958, 0.144617, 0.168881], [0.262700, 0.677998, 0.059302], [0.0, 0.028073, 1.060985]])
ADOBE = np.asarray([[0.576669, 0.185558, 0.188229], [0.297345, 0.627364, 0.075291], [0.027031, 0.070689, 0.991338]])
# D65 to D50 (Bradford), as profiles hold their colours.
_TO_D50 = np.asarray(
    [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
)


def patches(size=64) -> np.ndarray:
    """Skins, greys and moderate colours, sRGB uint8 [size, size, 3], as a mosaic of sixteen."""
    rng = np.random.default_rng(7)
    colours = [(224, 172, 140), (141, 85, 60), (92, 58, 44), (255, 219, 186), (30, 30, 30), (128, 128, 128), (230,) * 3]
    colours += [tuple(c) for c in rng.integers(40, 215, (9, 3))]
    mosaic = np.asarray(colours, np.uint8).reshape(4, 4, 3)
    return mosaic.repeat(size // 4, 0).repeat(size // 4, 1)


def linear(codes: np.ndarray) -> np.ndarray:
    """Light of sRGB codes 0..255."""
    x = codes / 255.0
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def encode(light: np.ndarray) -> np.ndarray:
    """sRGB codes 0..1 of light."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def in_space(codes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Light of the same colours in another set of primaries."""
    return np.clip(linear(codes) @ (np.linalg.inv(matrix) @ SRGB).T, 0, None)


def pq(light: np.ndarray) -> np.ndarray:
    """Signal 0..1 of light, white at 203 cd/m2 (SMPTE ST 2084)."""
    y = (np.asarray(light) * 203 / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375


def hlg(light: np.ndarray) -> np.ndarray:
    """Signal 0..1 of light [..., 3] in BT.2020, white at 203 of a display's 1000 cd/m2 (ARIB STD-B67)."""
    display = np.asarray(light) * 0.203
    brightness = np.maximum(display @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    scene = display * brightness ** (1 / 1.2 - 1)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


def lab(codes: np.ndarray, white=_D65, matrix=SRGB) -> np.ndarray:
    """CIE L*a*b* of sRGB codes 0..255."""
    ratio = linear(np.asarray(codes, np.float64)) @ matrix.T / white
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def delta_e(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """CIE 1976 difference of sRGB images."""
    return np.linalg.norm(lab(one) - lab(other), axis=-1)


# ---------------------------------------------------------------- ICC profiles


def matrix_profile(matrix: np.ndarray, gamma: float, extra: dict[bytes, bytes] | None = None) -> bytes:
    """Of primaries (D65) and a power."""
    columns = _TO_D50 @ matrix
    tags = {name + b"XYZ": _xyz(columns[:, k]) for k, name in enumerate((b"r", b"g", b"b"))}
    tags |= {name + b"TRC": _gamma(gamma) for name in (b"r", b"g", b"b")}
    return _profile(b"RGB ", b"XYZ ", tags | (extra or {}))


def grey_profile(gamma: float) -> bytes:
    """Of a power."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _gamma(gamma)})


def inks_to_codes(inks: np.ndarray) -> np.ndarray:
    """sRGB codes 0..255 of inks 0..1 [..., 4], by the press that `cmyk_profile` describes: its inks are pale."""
    return 255 * (1 - 0.8 * inks[..., :3]) * (1 - 0.9 * inks[..., 3:])


def cmyk_profile(grid: int = 9) -> bytes:
    """A table from four inks to L*a*b*, as printers' profiles are."""
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, grid)] * 4, indexing="ij"), -1).reshape(-1, 4)
    values = lab(inks_to_codes(steps), _D50, _TO_D50 @ SRGB)
    table = np.stack([values[:, 0] * 652.8, (values[:, 1] + 128) * 256, (values[:, 2] + 128) * 256], 1)
    head = b"mft2" + bytes(4) + bytes([4, 3, grid, 0])
    head += struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel()) + struct.pack(">HH", 2, 2)
    ramps = struct.pack(">2H", 0, 65535)
    body = head + ramps * 4 + np.round(table).clip(0, 65535).astype(">u2").tobytes() + ramps * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": body}, b"prtr")


def cicp_tag(primaries: int, transfer: int) -> dict[bytes, bytes]:
    """The tag by which a profile names colours of H.273."""
    return {b"cicp": b"cicp" + bytes(4) + bytes([primaries, transfer, 0, 1])}


def _gamma(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in values))


def _profile(space: bytes, pcs: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    tags = {b"wtpt": _xyz(_D50), **tags}
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", start + len(data), len(body))
        data += body + bytes(-len(body) % 4)
    head = bytearray(128)
    struct.pack_into(">I", head, 0, start + len(data))
    struct.pack_into(">I4s4s4s", head, 8, 0x02400000, kind, space, pcs)
    head[36:40] = b"acsp"
    struct.pack_into(">3i", head, 68, *(round(v * 65536) for v in _D50))
    return bytes(head) + table + data


# ---------------------------------------------------------------- PNG by hand


def png(samples: np.ndarray, **chunks: bytes) -> bytes:
    """A PNG of uint8 or uint16 samples [h, w, 1 to 4], with chunks of any kind before the pixels."""
    height, width, channels = samples.shape
    depth = samples.dtype.itemsize * 8
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = samples.astype(">u2" if depth == 16 else np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))]
    parts += [chunk(name.encode(), data) for name, data in chunks.items()]
    parts += [chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def iccp(profile: bytes) -> bytes:
    """The chunk's data for a profile."""
    return b"p\0\0" + zlib.compress(profile)
