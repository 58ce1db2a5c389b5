"""How the template's points move: linear displacement fields for speech, lids, brows and emotion.

Each field gives the displacement of the 468 template points at full strength. Points that define the head pose
(`landmarks.RIGID`) never move, so that the pose fitted to a frame is the true one.
"""

import numpy as np
from scipy.interpolate import RBFInterpolator

from vasa_jax import landmarks

NAMES = ("jaw", "seal", "round", "wide", "smile", "frown", "upper_lip", "tuck", "lid_left", "lid_right",
         "lower_lids", "brow_up", "brow_inner", "brow_down", "cheeks")  # fmt: skip
SEAM_Y = 0.356
_PIVOT = np.array([0.0, 0.30, 0.45])
JAW_ANGLE = 0.42
"""Radians at jaw strength 1."""


def _smoothstep(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _bump(points: np.ndarray, centre: tuple[float, float], sx: float, sy: float) -> np.ndarray:
    return np.exp(-(((points[:, 0] - centre[0]) / sx) ** 2) - ((points[:, 1] - centre[1]) / sy) ** 2)


def jaw_weight(layout: np.ndarray) -> np.ndarray:
    """How far a place of the layout [n, 2] follows the jaw, 0..1: a step at the lips, a slow ramp in the cheek."""
    x = np.abs(layout[:, 0])
    side = np.clip(x / 0.18, 0, None)
    line = SEAM_Y - 0.9 * np.clip(x - 0.2, 0, None)
    width = 0.015 + 0.30 * np.minimum(side, 1.3) ** 2.5
    return _smoothstep(0.5 + (layout[:, 1] - line) / width) * (1 - _smoothstep((x - 0.42) / 0.16))


def jaw_rotation(points: np.ndarray) -> np.ndarray:
    """Displacement [n, 3] of points that are fixed to the jaw, at strength 1."""
    y, z = points[:, 1] - _PIVOT[1], points[:, 2] - _PIVOT[2]
    c, s = np.cos(JAW_ANGLE), np.sin(JAW_ANGLE)
    return np.stack([np.zeros(len(points)), (c - 1) * y - s * z, s * y + (c - 1) * z], -1)


def _mouth_fields(points: np.ndarray, layout: np.ndarray) -> dict[str, np.ndarray]:
    x, y = points[:, 0], points[:, 1]
    lower = layout[:, 1] > SEAM_Y
    zero = np.zeros(len(points))
    jaw = jaw_rotation(points) * jaw_weight(layout)[:, None]
    inner = np.asarray(landmarks.GROUPS["lips_inner"])
    order = np.argsort(points[inner[:11], 0])
    # How far the seam of the lower lip falls at this x: the seal undoes exactly that, mostly by the lower lip.
    drop = np.stack([np.interp(x, points[inner[:11]][order, 0], jaw[inner[:11]][order, i]) for i in range(3)], -1)
    top = np.concatenate([inner[:1], inner[:9:-1]])
    rise = np.stack([np.interp(x, points[top, 0], jaw[top, i]) for i in range(3)], -1)
    gap = drop - rise
    local = np.exp(-((np.maximum(np.abs(y - SEAM_Y) - 0.012, 0) / 0.085) ** 2)) * np.exp(-((x / 0.26) ** 6))
    seal = np.where(lower[:, None], -0.8 * gap, 0.2 * gap) * local[:, None]
    middle = _bump(layout, (0, SEAM_Y), 0.30, 0.19)
    around = _bump(layout, (0, SEAM_Y), 0.22, 0.11)
    depth = np.clip(1 - (x / 0.24) ** 2, 0.1, 1)
    pucker = np.stack([-0.42 * x * middle, -0.10 * (y - SEAM_Y) * middle, (-0.075 * depth + 0.035) * around], -1)
    corner = _bump(layout, (0.19, SEAM_Y), 0.11, 0.13) + _bump(layout, (-0.19, SEAM_Y), 0.11, 0.13)
    wide = np.stack([0.16 * np.clip(x, -0.19, 0.19) * middle, zero, 0.02 * corner], -1)
    cheek = _bump(layout, (0.31, 0.12), 0.13, 0.14) + _bump(layout, (-0.31, 0.12), 0.13, 0.14)
    smile = np.stack([0.05 * np.sign(x) * corner, -0.055 * corner - 0.03 * cheek, 0.03 * corner - 0.025 * cheek], -1)
    frown = np.stack([-0.012 * np.sign(x) * corner, 0.045 * corner, zero], -1)
    upper = np.where(lower, 0, 1) * _bump(layout, (0, 0.32), 0.15, 0.07) * _smoothstep((y - 0.19) / 0.08)
    lifted = np.stack([zero, -0.035 * upper, -0.005 * upper], -1)
    under = np.where(lower, 1, 0) * _bump(layout, (0, 0.375), 0.15, 0.06) * np.clip(1 - (x / 0.175) ** 4, 0, 1)
    tuck = np.stack([zero, -0.012 * under, 0.045 * under], -1)
    puff = np.stack([0.03 * np.sign(x) * cheek, zero, -0.02 * cheek], -1)
    return {"jaw": jaw, "seal": seal, "round": pucker, "wide": wide, "smile": smile, "frown": frown,
            "upper_lip": lifted, "tuck": tuck, "cheeks": puff}  # fmt: skip


def _lid_fields(points: np.ndarray, layout: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Closing of an eye and raising of its lower lid."""
    ring = np.asarray(landmarks.GROUPS[name])
    upper, lower = ring[9:], ring[7:0:-1]
    gap = points[lower] - points[upper]
    closed = np.zeros((len(points), 3))
    closed[upper], closed[lower] = 0.8 * gap, -0.2 * gap
    raised = np.zeros((len(points), 3))
    raised[lower], raised[upper] = -0.30 * gap, 0.06 * gap
    centre = layout[ring].mean(0)
    away = np.abs((layout - centre) / [0.165, 0.10])
    fixed = np.linalg.norm(away, axis=-1) > 1
    fixed[ring] = True
    moved = np.concatenate([closed, raised], -1)
    spread = RBFInterpolator(layout[fixed], moved[fixed], kernel="linear")(layout)
    spread[fixed] = moved[fixed]
    return spread[:, :3], spread[:, 3:]


def _brow_fields(points: np.ndarray, layout: np.ndarray) -> dict[str, np.ndarray]:
    x = points[:, 0]
    zero = np.zeros(len(points))
    over = _bump(layout, (0.28, -0.37), 0.22, 0.11) + _bump(layout, (-0.28, -0.37), 0.22, 0.11)
    inner = _bump(layout, (0.11, -0.35), 0.12, 0.10) + _bump(layout, (-0.11, -0.35), 0.12, 0.10)
    up = np.stack([zero, -0.075 * over, zero], -1)
    raised = np.stack([zero, -0.065 * inner, zero], -1)
    down = np.stack([-0.035 * np.tanh(x / 0.05) * inner, 0.05 * inner + 0.025 * over, -0.01 * inner], -1)
    return {"brow_up": up, "brow_inner": raised, "brow_down": down}


def deltas(points: np.ndarray, layout: np.ndarray) -> list[np.ndarray]:
    """Displacement fields [468, 3] in the order of NAMES."""
    fields = _mouth_fields(points, layout) | _brow_fields(points, layout)
    left, left_low = _lid_fields(points, layout, "eye_left")
    right, right_low = _lid_fields(points, layout, "eye_right")
    fields |= {"lid_left": left, "lid_right": right, "lower_lids": left_low + right_low}
    fixed = [landmarks.MEDIAPIPE_INDICES[i] for i in landmarks.RIGID]
    for field in fields.values():
        field[fixed] = 0.0
    eyes = [landmarks.GROUPS[n] for n in ("eye_left", "eye_right")]
    for name in ("brow_up", "brow_inner", "brow_down", "smile", "cheeks"):
        for ring in eyes:
            fields[name][list(ring)] = 0.0
    return [fields[name] for name in NAMES]
