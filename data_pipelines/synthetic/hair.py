"""Hair and beard as shells: the skin's own vertices, lifted where hair grows and sunk where it does not.

The line where a shell dives under the skin is the hairline, found by the z-buffer.
"""

import numpy as np

from data_pipelines.synthetic import textures
from data_pipelines.synthetic.traits import Traits

THICKNESS = {"buzz": 0.014, "short": 0.060, "side": 0.085, "afro": 0.27, "bob": 0.060, "long": 0.055, "bun": 0.035,
             "receding": 0.045}  # fmt: skip
HANGING = ("bob", "long")


def _noise(points: np.ndarray, rng: np.random.Generator, frequency: float, count: int = 6) -> np.ndarray:
    k = rng.normal(0, frequency, (count, 3))
    return np.sin(points @ k.T + rng.uniform(0, 6.28, count)).mean(-1) * 1.4


def growth(traits: Traits, points: np.ndarray) -> np.ndarray:
    """How far inside the hair a template point [n, 3] lies: signed, about distance units."""
    if traits.hair_style == "bald":
        return np.full(len(points), -1.0)
    rng = np.random.default_rng([traits.seed, 7004])
    x, y, z = points.T
    forehead = -0.55 + 0.20 * traits.fringe + 0.02 * rng.normal()
    sideburn = rng.uniform(-0.12, 0.08)
    if traits.hair_style == "receding":
        forehead -= 0.22
    peak = 0.03 * np.cos(np.clip(x / 0.35, -1, 1) * np.pi)
    line = np.interp(z, [-0.25, -0.08, 0.08, 0.22, 0.34, 0.42, 0.60, 1.2],
                     [forehead, forehead, -0.42, -0.30, sideburn, sideburn - 0.05, 0.30, 0.38])  # fmt: skip
    line = line + peak * (z < 0.1) * (traits.fringe < 0.3)
    value = line - y
    if traits.hair_style == "receding":
        value = np.minimum(value, z - 0.30 - 0.5 * np.abs(x) * (np.abs(x) < 0.3))
        value = np.where((y < -0.55) & (np.hypot(x, z - 0.55) < 0.42), -0.3, value) if traits.age > 0.5 else value
    return value + 0.025 * _noise(points, rng, 14.0)


def lift(traits: Traits, points: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Height of the shell above the skin (negative: under it), [n]."""
    rng = np.random.default_rng([traits.seed, 7005])
    x, y, _ = points.T
    thickness = THICKNESS.get(traits.hair_style, 0.0) * rng.uniform(0.75, 1.35)
    body = thickness * np.ones(len(points))
    if traits.hair_style == "side":
        body *= 1 + 0.7 * np.exp(-(((x - 2 * traits.parting) / 0.35) ** 2)) * (y < -0.5)
    if traits.hair_style in ("short", "side", "receding"):
        body *= np.interp(y, [-0.7, -0.3, 0.3], [1.25, 0.7, 0.35])
    rough = 0.30 if traits.hair_style == "afro" else 0.22
    body *= 1 + rough * _noise(points, rng, 9.0)
    rise = np.clip(value / 0.30, 0, 1)
    return np.where(value > 0, body * rise * (2 - rise) + 0.002, -0.04 * np.clip(-value / 0.05, 0, 1))


def shell_patch(layout: np.ndarray, cycles: int = 4) -> np.ndarray:
    """Patch coordinates of a shell over layout positions: strands run from the face to the crown's back."""
    angle = np.arctan2(layout[:, 0], -layout[:, 1]) / np.pi
    return np.stack([np.abs((angle * cycles) % 2 - 1), np.clip(np.hypot(layout[:, 0], layout[:, 1]) / 1.1, 0, 1)], -1)


def beard_lift(traits: Traits, layout: np.ndarray) -> np.ndarray:
    """Height of the beard's shell, [n]; negative where none grows."""
    rng = np.random.default_rng([traits.seed, 7006])
    points = np.concatenate([layout, np.zeros((len(layout), 1))], -1)
    mask = textures.beard_mask(layout[:, 0], layout[:, 1], traits.beard)
    chin = np.clip((layout[:, 1] - 0.40) / 0.3, 0, 1) * np.clip(1 - np.abs(layout[:, 0]) / 0.5, 0, 1)
    depth = 0.008 + 0.085 * traits.beard**2 * chin + 0.02 * traits.beard
    depth *= 1 + 0.25 * _noise(points, rng, 20.0)
    return np.where(mask > 0.35, depth * np.clip((mask - 0.35) / 0.5, 0, 1), -0.02)
