"""Paints an identity's texture: the head over the layout, and patches for eyes, teeth, hair, neck and shirt."""

import cv2
import numpy as np
from jaxtyping import Float

from data_pipelines.synthetic import head_mesh
from data_pipelines.synthetic.traits import Traits

EXTENT = head_mesh.LAYOUT_EXTENT
PATCHES = {  # left, top, width, height in head-texture sizes
    "eye": (1.0, 0.0, 0.25, 0.25),
    "teeth_upper": (1.0, 0.25, 0.25, 0.125),
    "teeth_lower": (1.0, 0.375, 0.25, 0.125),
    "hair": (1.0, 0.5, 0.25, 0.25),
    "tongue": (1.0, 0.75, 0.0625, 0.125),
    "ear": (1.0625, 0.75, 0.0625, 0.125),
    "glasses": (1.0, 0.875, 0.0625, 0.125),
    "neck": (1.0625, 0.875, 0.0625, 0.125),
    "shirt": (1.125, 0.75, 0.125, 0.25),
}
"""The atlas is one head-texture size high and 1.25 wide."""


def patch_coordinates(name: str, patch: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "v 2"]:
    """Patch coordinates 0..1 to atlas coordinates, kept off the patch's edge."""
    left, top, width, height = PATCHES[name]
    return np.array([left, top]) + (0.04 + 0.92 * np.asarray(patch)) * np.array([width, height])


_RADII = np.array([0.0, 0.55, 0.80, 1.0, 2.4])
_SPREAD = np.array([0.0, 0.55, 0.92, 1.36, 2.7])


def _radial(points: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    centred = points - [0.0, 0.05]
    radius = np.hypot(centred[..., 0] / 0.53, centred[..., 1] / 0.66)
    return centred * (np.interp(radius, source, target) / np.maximum(radius, 1e-6))[..., None] + [0.0, 0.05]


def layout_coordinates(layout: Float[np.ndarray, "v 2"]) -> Float[np.ndarray, "v 2"]:
    """Layout coordinates to atlas coordinates: the cheeks, which the layout sees edge-on, get more room."""
    return (_radial(np.asarray(layout), _RADII, _SPREAD) / EXTENT + 1) / 2


def smooth_noise(rng: np.random.Generator, height: int, width: int, cells: float) -> np.ndarray:
    """Noise of about unit variance whose blobs are 1/cells of the width, [h, w]."""
    n = max(int(cells), 2)
    coarse = rng.normal(0, 1, (max(n * height // width, 2), n)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


class _Canvas:
    """The head part of the atlas, painted in layout coordinates."""

    def __init__(self, size: int, colour: np.ndarray) -> None:
        self.size = size
        self.image = np.ones((size, size, 3), np.float32) * colour
        axis = (np.arange(size) + 0.5) / size * 2 * EXTENT - EXTENT
        spread = np.stack(np.meshgrid(axis, axis), -1)
        self.x, self.y = np.moveaxis(_radial(spread, _SPREAD, _RADII).astype(np.float32), -1, 0)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        return (np.round(layout_coordinates(points) * self.size * 16 - 8)).astype(np.int32)

    def mask(self, polygon: np.ndarray, blur: float = 0.006) -> np.ndarray:
        mask = np.zeros((self.size, self.size), np.float32)
        cv2.fillPoly(mask, [self.pixels(polygon)], 1.0, cv2.LINE_AA, shift=4)
        return self.soften(mask, blur)

    def lines(self, curves: list[np.ndarray], width: float, blur: float = 0.004, closed: bool = False) -> np.ndarray:
        mask = np.zeros((self.size, self.size), np.uint8)
        thick = max(1, round(width * self.size / (2 * EXTENT)))
        cv2.polylines(mask, [self.pixels(c) for c in curves], closed, 255, thick, cv2.LINE_AA, shift=4)
        return self.soften(mask.astype(np.float32) / 255, blur)

    def soften(self, mask: np.ndarray, blur: float) -> np.ndarray:
        sigma = blur * self.size / (2 * EXTENT)
        return cv2.GaussianBlur(mask, (0, 0), sigma) if sigma > 0.3 else mask

    def blob(self, x: float, y: float, sx: float, sy: float) -> np.ndarray:
        return np.exp(-(((np.abs(self.x) - x) / sx) ** 2) - ((self.y - y) / sy) ** 2).astype(np.float32)

    def blend(self, mask: np.ndarray, colour: np.ndarray, amount: float = 1.0) -> None:
        weight = (np.clip(mask, 0, 1) * amount)[..., None]
        self.image += weight * (np.asarray(colour, np.float32) - self.image)

    def multiply(self, mask: np.ndarray, factor: np.ndarray | float) -> None:
        self.image *= 1 + np.clip(mask, 0, 1)[..., None] * (np.asarray(factor, np.float32) - 1)


def _paint_skin(canvas: _Canvas, traits: Traits, rng: np.random.Generator) -> None:
    size = canvas.size
    relief = sum(smooth_noise(rng, size, size, c) * a for c, a in ((6, 0.02), (25, 0.018), (90, 0.015), (240, 0.014)))
    # Near the oval the texture is still stretched: grain would smear there.
    relief *= np.clip(1.2 - 2.0 * np.maximum(np.hypot(canvas.x, canvas.y * 0.75) - 0.30, 0), 0.2, 1)
    canvas.image *= (1 + relief * (0.6 + 0.8 * traits.age))[..., None]
    flush = (
        canvas.blob(0.30, 0.10, 0.16, 0.13) + canvas.blob(0, 0.08, 0.09, 0.10) + 0.4 * canvas.blob(0, 0.62, 0.12, 0.08)
    )
    canvas.multiply(flush, 1 + (np.array([1.02, 0.86, 0.85]) - 1) * rng.uniform(0.3, 1.1))
    canvas.multiply(canvas.blob(0.235, -0.21, 0.15, 0.09), np.array([0.86, 0.80, 0.80]))
    canvas.multiply(canvas.blob(0.225, -0.11, 0.10, 0.035), 1 - 0.05 - 0.14 * traits.age * rng.random())
    if traits.freckles:
        dots = (rng.random((size, size)) < 0.004).astype(np.float32)
        spots = canvas.soften(dots, 0.006) * 22 * (canvas.blob(0.2, 0.02, 0.30, 0.22) + 0.15)
        canvas.multiply(spots * traits.freckles, np.array([0.72, 0.6, 0.5]))
    for _ in range(rng.poisson(1.2)):
        x, y = rng.uniform(-0.45, 0.45), rng.uniform(-0.55, 0.65)
        mole = np.exp(-((canvas.x - x) ** 2 + (canvas.y - y) ** 2) / rng.uniform(0.006, 0.012) ** 2)
        canvas.multiply(mole, 0.45)
    _paint_wrinkles(canvas, traits, rng)


def _paint_wrinkles(canvas: _Canvas, traits: Traits, rng: np.random.Generator) -> None:
    t = np.linspace(-1, 1, 25)
    depth = 0.5 * np.clip(traits.age - 0.25, 0, 1)
    forehead = [
        np.stack([0.33 * t, y + 0.02 * t**2 + 0.006 * np.sin(5 * t + i)], -1)
        for i, y in enumerate((-0.53, -0.48, -0.43))
    ]
    canvas.multiply(canvas.lines(forehead, 0.009, 0.008), 1 - depth)
    folds, crow = [], []
    for side in (-1, 1):
        u = (t + 1) / 2
        folds.append(np.stack([side * (0.15 + 0.09 * u), 0.13 + 0.24 * u], -1))
        crow += [np.stack([side * (0.36 + 0.07 * u), -0.20 + a * u], -1) for a in (-0.05, 0.0, 0.05)]
    canvas.multiply(canvas.lines(folds, 0.012, 0.016), 1 - 0.18 - 0.7 * depth)
    canvas.multiply(canvas.lines(crow, 0.007, 0.005), 1 - 0.9 * depth)


def _paint_mouth(canvas: _Canvas, traits: Traits) -> None:
    layout, rings = head_mesh.skin().layout, head_mesh.skin().rings
    outer, inner = layout[rings["lips_outer"]], layout[rings["lips_inner"]]
    lips = canvas.mask(outer, 0.007)
    canvas.blend(lips, traits.lips, 0.85)
    canvas.multiply(lips * (canvas.y < 0.356), 0.84)
    canvas.multiply(canvas.blob(0, 0.445, 0.11, 0.018), 0.86)
    canvas.multiply(canvas.blob(0, 0.26, 0.02, 0.05), 0.95)
    centre = inner.mean(0)
    canvas.blend(canvas.mask(inner, 0.004), traits.lips * np.array([0.62, 0.42, 0.42]))
    canvas.blend(canvas.mask(centre + 0.90 * (inner - centre), 0.003), np.array([0.16, 0.035, 0.035]))
    canvas.multiply(canvas.lines([inner], 0.006, 0.003, closed=True), 0.55)


def _paint_eyes(canvas: _Canvas, traits: Traits) -> None:
    layout, rings = head_mesh.skin().layout, head_mesh.skin().rings
    lid = traits.skin * np.array([0.80, 0.58, 0.55])
    for name in ("eye_left", "eye_right"):
        ring = layout[rings[name]]
        canvas.blend(canvas.mask(ring, 0.003), lid)
        upper = ring[np.r_[15:32, 0]]
        crease = upper + [0, -0.030] * np.sin(np.linspace(0, np.pi, len(upper)))[:, None] + [0, -0.004]
        canvas.multiply(canvas.lines([crease], 0.008, 0.005), 0.66)
        lash = 0.32 - 0.2 * traits.makeup
        canvas.multiply(canvas.lines([upper], 0.010 + 0.008 * traits.makeup, 0.003), np.full(3, lash))
        canvas.multiply(canvas.lines([ring[:17]], 0.006, 0.004), 0.72)
        if traits.makeup > 0.5:
            canvas.blend(
                canvas.mask(np.concatenate([upper, crease[::-1] + [0, -0.02]]), 0.012), traits.lips * 0.6, 0.35
            )


def _paint_brows(canvas: _Canvas, traits: Traits, rng: np.random.Generator) -> None:
    points = head_mesh.template_layout()
    for name in ("brow_left", "brow_right"):
        brow = points[head_mesh.group(name)]
        upper, lower = brow[:5], brow[5:]
        middle, half = (upper + lower) / 2, (upper - lower) / 2
        t = np.linspace(0, 4, 60)
        centre = np.stack([np.interp(t, np.arange(5), middle[:, i]) for i in range(2)], -1)
        width = np.interp(t, np.arange(5), np.linalg.norm(half, axis=-1)) * (0.45 + 0.5 * traits.brow_weight)
        width *= np.interp(t, [0, 1.5, 3.6, 4], [0.25, 0.8, 1.1, 0.8])
        outline = np.concatenate([centre - [0, 1] * width[:, None], (centre + [0, 1] * width[:, None])[::-1]])
        canvas.blend(canvas.mask(outline, 0.012), traits.brow, 0.45 + 0.3 * min(traits.brow_weight, 1))
        hairs = []
        for _ in range(70):
            k = rng.integers(60)
            start = centre[k] + [rng.normal(0, 0.006), rng.uniform(-1, 1) * width[k]]
            out = np.sign(centre[0, 0]) * rng.uniform(0.015, 0.035)
            hairs.append(np.array([start, start + [out, rng.uniform(-0.02, 0.004)]]))
        canvas.blend(canvas.lines(hairs, 0.004, 0.002), traits.brow * 0.8, 0.55)


def _paint_nose(canvas: _Canvas) -> None:
    canvas.multiply(canvas.blob(0.058, 0.150, 0.026, 0.012), np.array([0.30, 0.20, 0.18]))
    canvas.multiply(canvas.blob(0.145, 0.125, 0.018, 0.045), 0.84)
    canvas.multiply(canvas.blob(0, 0.190, 0.09, 0.022), 0.86)


def beard_mask(x: np.ndarray, y: np.ndarray, amount: float) -> np.ndarray:
    """Where a beard grows over layout coordinates, 0..1; large amounts reach up the cheek."""
    side = np.abs(x)
    line = 0.42 - 0.9 * (side - 0.15) * (0.5 + amount)
    jaw = np.clip((y - line) / 0.05, 0, 1) * np.clip((0.92 - np.hypot(x, y)) / 0.08, 0, 1)
    moustache = (
        np.clip((y - 0.235) / 0.03, 0, 1) * np.clip((0.36 - y + 0.3 * (side > 0.18)) / 0.02, 0, 1) * (side < 0.24)
    )
    mouth = np.clip(((x / 0.215) ** 2 + ((y - 0.372) / 0.098) ** 2 - 1) / 0.12, 0, 1)
    return np.maximum(jaw, moustache) * mouth * (side < 0.5)


def _hair_patch(traits: Traits, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    strands = smooth_noise(rng, 4, width, width * 0.7)[:1] + 0.7 * smooth_noise(rng, 4, width, width * 0.2)[:1]
    strands = np.repeat(strands, height, 0) + 0.6 * smooth_noise(rng, height, width, width * 0.45)
    return np.clip(traits.hair * (1 + 0.09 * strands)[..., None], 0.01, 1)


def _eye_patch(traits: Traits, size: int, rng: np.random.Generator) -> np.ndarray:
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    r, a = np.hypot(x, y) / 0.92, np.arctan2(y, x)
    # The patch is linear in (polar angle / 1.75)^(1/0.9), 1 at its rim.
    polar = 1.75 * np.minimum(r, 1) ** 0.9
    white = np.array([0.86, 0.84, 0.82]) - 0.06 * traits.age
    image = np.ones((size, size, 3)) * white
    vein = np.clip((polar - 0.6) / 0.8, 0, 1)
    image *= 1 - vein[..., None] * np.array([0.05, 0.22, 0.22])
    spokes = 1 + 0.22 * np.sin(a * 23 + 3 * np.sin(a * 7)) * (polar / 0.5) + 0.1 * rng.normal(0, 1, polar.shape)
    iris = traits.iris * spokes[..., None] * (0.75 + 0.6 * np.exp(-(((polar - 0.28) / 0.1) ** 2)))[..., None]

    def edge(radius: float, soft: float) -> np.ndarray:
        return np.clip((radius - polar) / soft + 0.5, 0, 1)[..., None]

    image += edge(0.54, 0.06) * (traits.iris * 0.30 - image)
    image += edge(0.48, 0.08) * (iris - image)
    image += edge(0.21, 0.05) * (0.015 - image)
    return np.clip(image, 0, 1)


def _teeth_patch(height: int, width: int, upper: bool, tint: float) -> np.ndarray:
    v = np.linspace(0, 1, height)[:, None]
    u = np.linspace(0, 1, width)[None]
    colour = np.ones((height, width, 3)) * np.array([0.95, 0.93, 0.87 - 0.12 * tint])
    count = 8 if upper else 9
    gap = np.abs(np.sin(np.pi * (u * count + (0.0 if upper else 0.5)))) ** 0.35
    colour *= (0.72 + 0.28 * gap)[..., None] * (1 - 0.65 * np.abs(2 * u - 1) ** 2.5)[..., None]
    gum = np.clip((0.32 - (v if upper else 1 - v)) / 0.08, 0, 1)[..., None]
    return np.clip(colour + gum * (np.array([0.62, 0.28, 0.28]) - colour), 0, 1)


def _shirt_patch(traits: Traits, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    cloth = np.ones((height, width, 3)) * traits.shirt
    pattern = rng.integers(4)
    u, v = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    other = rng.uniform(0.05, 0.95, 3)
    if pattern == 1:
        cloth[np.sin(v * rng.uniform(40, 90)) > 0.3] = other
    elif pattern == 2:
        cloth[np.abs(u - 0.5) < 0.06 + 0.1 * (0.3 - v)] = other
    return np.clip(cloth * (1 + 0.05 * smooth_noise(rng, height, width, 12))[..., None], 0, 1)


def paint(traits: Traits, size: int, scalp: Float[np.ndarray, "n 3"]) -> np.ndarray:
    """The atlas [size, 1.25 size, 3] float32 in 0..1.

    Args:
      traits: whose.
      size: pixels of the head's texture; a face fills about half of it.
      scalp: layout x, y and hair amount (> 0: hairy) of the skin's vertices, to tint the skin under the hair.
    """
    rng = np.random.default_rng([traits.seed, 7003])
    canvas = _Canvas(size, traits.skin)
    _paint_skin(canvas, traits, rng)
    if traits.stubble or traits.beard:
        grain = 0.75 + 0.25 * smooth_noise(rng, size, size, size / 3)
        mask = canvas.soften(beard_mask(canvas.x, canvas.y, max(traits.beard, 0.4)).astype(np.float32), 0.02) * grain
        canvas.blend(
            mask, traits.hair * 0.8 * 0.7 + 0.3 * traits.skin, 0.75 * min(traits.beard * 2, 1) + 0.35 * traits.stubble
        )
    _paint_nose(canvas)
    _paint_eyes(canvas, traits)
    _paint_brows(canvas, traits, rng)
    _paint_mouth(canvas, traits)
    if traits.hair_style != "bald":
        coarse = np.zeros((128, 128), np.float32)
        at = np.clip((layout_coordinates(scalp[:, :2]) * 128).astype(int), 0, 127)
        weight = np.zeros_like(coarse)
        np.add.at(coarse, (at[:, 1], at[:, 0]), np.clip(scalp[:, 2] * 4 + 0.3, 0, 1))
        np.add.at(weight, (at[:, 1], at[:, 0]), 1)
        coarse = cv2.GaussianBlur(coarse, (0, 0), 3.5) / (cv2.GaussianBlur(weight, (0, 0), 3.5) + 1e-6)
        tint = np.clip(
            cv2.resize(coarse, (size, size))
            + 0.08 * smooth_noise(rng, size, size, size / 3) * (cv2.resize(coarse, (size, size)) > 0.1),
            0,
            1,
        )
        canvas.blend(tint, traits.hair * 0.85, 0.9 if traits.hair_style != "buzz" else 0.7)
    atlas = np.zeros((size, size + size // 4, 3), np.float32)
    atlas[:, :size] = canvas.image
    makers = {
        "eye": lambda h, w: _eye_patch(traits, h, rng),
        "teeth_upper": lambda h, w: _teeth_patch(h, w, True, traits.age),
        "teeth_lower": lambda h, w: _teeth_patch(h, w, False, traits.age),
        "hair": lambda h, w: _hair_patch(traits, h, w, rng),
        "tongue": lambda h, w: np.ones((h, w, 3)) * np.array([0.66, 0.28, 0.28]),
        "ear": lambda h, w: np.ones((h, w, 3)) * traits.skin * np.array([1.0, 0.88, 0.86]),
        "glasses": lambda h, w: np.ones((h, w, 3)) * (traits.glasses if traits.glasses is not None else np.zeros(3)),
        "neck": lambda h, w: np.ones((h, w, 3)) * traits.skin * (1 + 0.02 * smooth_noise(rng, h, w, 8))[..., None],
        "shirt": lambda h, w: _shirt_patch(traits, h, w, rng),
    }
    for name, make in makers.items():
        left, top, width, height = (round(v * size) for v in PATCHES[name])
        atlas[top : top + height, left : left + width] = make(height, width)
    return np.clip(atlas, 0, 1).astype(np.float32)
