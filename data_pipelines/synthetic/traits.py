"""Who a procedural head is: every choice that an identity number makes, and the shape it gives to points."""

import dataclasses

import numpy as np
from jaxtyping import Float

SKIN_TONES = np.array([[248, 212, 190], [240, 192, 164], [228, 176, 140], [210, 160, 125], [185, 132, 98],
                       [150, 102, 74], [116, 76, 54], [84, 54, 40]], np.float32) / 255  # fmt: skip
HAIR_COLOURS = np.array([[28, 22, 20], [48, 32, 22], [80, 52, 32], [120, 78, 44], [170, 126, 72], [212, 176, 118],
                         [140, 60, 28], [150, 148, 146], [215, 212, 208]], np.float32) / 255  # fmt: skip
EYE_COLOURS = np.array([[62, 38, 22], [92, 60, 32], [112, 92, 48], [84, 112, 72], [92, 132, 158], [120, 134, 142],
                        [60, 92, 130]], np.float32) / 255  # fmt: skip
HAIR_STYLES = ("bald", "buzz", "short", "side", "afro", "bob", "long", "bun", "receding")
STYLES = ("photo", "cartoon", "painting")
NEUTRAL_WIDTH = 0.323


@dataclasses.dataclass(frozen=True)
class Traits:
    """Shape amounts are about standard normal; colours are RGB 0..1; ages 0 (young) .. 1 (old)."""

    seed: int
    shape: dict[str, float]
    skin: np.ndarray
    hair: np.ndarray
    brow: np.ndarray
    iris: np.ndarray
    lips: np.ndarray
    shirt: np.ndarray
    hair_style: str
    parting: float
    fringe: float
    age: float
    freckles: float
    beard: float
    stubble: float
    makeup: float
    brow_weight: float
    glasses: np.ndarray | None
    style: str


_SHAPE = (
    "width upper lower jaw chin chin_forward cheek cheekbone nose_length nose_width nose_forward "
    "nose_hump lip_full lip_forward mouth_width mouth_height eye_space eye_size eye_tilt eye_height "
    "brow_height brow_ridge ear_size ear_out neck fat skull forehead"
).split()


def _mix(table: np.ndarray, rng: np.random.Generator, spread: float, bias: float = 1.0) -> np.ndarray:
    at = rng.random() ** bias * (len(table) - 1)
    low = min(int(at), len(table) - 2)
    colour = table[low] + (at - low) * (table[low + 1] - table[low])
    return np.clip(colour * rng.normal(1, spread, 3), 0.01, 0.98).astype(np.float32)


def sample(identity: int) -> Traits:
    """The traits of an identity number; numbers are independent of each other."""
    rng = np.random.default_rng([identity, 7001])
    shape = {name: float(np.clip(rng.normal(), -2.2, 2.2)) for name in _SHAPE}
    masculine = rng.random() < 0.5
    shape["jaw"] += 0.6 if masculine else -0.5
    shape["brow_ridge"] += 0.6 if masculine else -0.6
    shape["lip_full"] += -0.3 if masculine else 0.5
    shape["neck"] += 0.6 if masculine else -0.8
    skin = _mix(SKIN_TONES, rng, 0.015, bias=1.35)
    age = float(rng.beta(1.3, 1.8))
    dark = skin.mean() < 0.5
    hair = _mix(HAIR_COLOURS[: 3 if dark and rng.random() < 0.85 else 9], rng, 0.06)
    if age > 0.65 and rng.random() < 0.6:
        hair = _mix(HAIR_COLOURS[7:], rng, 0.03)
    if rng.random() < 0.03:
        hair = rng.uniform(0.1, 0.9, 3).astype(np.float32)
    weights = np.array(
        [1, 1.5, 4, 3, 0.8, 0.4, 0.5, 0.5, 1.6] if masculine else [0.05, 0.2, 1.2, 1.5, 1, 3, 4, 2, 0.05]
    )
    red = np.array([rng.uniform(0.86, 1.0), rng.uniform(0.58, 0.75), rng.uniform(0.58, 0.78)])
    makeup = 0.0 if masculine else float(rng.random() ** 2)
    lips = skin * red * (1 - 0.5 * makeup) + 0.5 * makeup * np.array(
        [rng.uniform(0.45, 0.85), 0.1, rng.uniform(0.1, 0.3)]
    )
    beard = float(rng.uniform(0.15, 1)) if masculine and rng.random() < 0.28 else 0.0
    return Traits(
        seed=identity,
        shape=shape,
        skin=skin,
        hair=hair,
        brow=np.clip(hair * rng.uniform(0.45, 0.85), 0.02, 0.6).astype(np.float32),
        iris=_mix(EYE_COLOURS[: 2 if dark else 7], rng, 0.08),
        lips=np.clip(lips, 0.02, 0.95).astype(np.float32),
        shirt=rng.uniform(0.04, 0.95, 3).astype(np.float32),
        hair_style=str(rng.choice(HAIR_STYLES, p=weights / weights.sum())),
        parting=float(rng.uniform(-0.25, 0.25)),
        fringe=float(rng.random() ** 2) if not masculine else float(rng.random() ** 5),
        age=age,
        freckles=float(rng.random()) if not dark and rng.random() < 0.2 else 0.0,
        beard=beard,
        stubble=float(rng.uniform(0, 0.5)) if masculine else 0.0,
        makeup=makeup,
        brow_weight=float(rng.uniform(0.6, 1.3) if masculine else rng.uniform(0.4, 0.9)),
        glasses=rng.uniform(0.02, 0.5) * rng.uniform(0.2, 1, 3).astype(np.float32) if rng.random() < 0.14 else None,
        style=str(rng.choice(STYLES, p=[0.7, 0.12, 0.18])),
    )


def _ball(points: np.ndarray, centre: tuple[float, float, float], sigma: tuple[float, float, float]) -> np.ndarray:
    return np.exp(-np.square((points - np.asarray(centre)) / np.asarray(sigma)).sum(-1))


def _pair(points: np.ndarray, centre: tuple[float, float, float], sigma: tuple[float, float, float]) -> np.ndarray:
    x, y, z = centre
    return _ball(points, centre, sigma) + _ball(points, (-x, y, z), sigma)


def deform(traits: Traits, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Carries points of the template head onto this identity's head: one smooth map of space for all parts."""
    s = traits.shape
    p = np.array(points, np.float64)
    x, y, z = p.T
    side = np.tanh(x / 0.05)
    out = p.copy()
    nose = _ball(p, (0, 0.07, -0.36), (0.16, 0.13, 0.16))
    tip = _ball(p, (0, 0.09, -0.42), (0.12, 0.09, 0.10))
    mouth = _ball(p, (0, 0.36, -0.22), (0.24, 0.11, 0.20))
    out[:, 1] += 0.022 * s["nose_length"] * nose - 0.012 * s["nose_hump"] * tip
    out[:, 0] += 0.13 * s["nose_width"] * np.clip(x, -0.16, 0.16) * _ball(p, (0, 0.10, -0.33), (0.17, 0.09, 0.14))
    out[:, 2] -= 0.030 * s["nose_forward"] * nose + 0.016 * s["nose_hump"] * _ball(
        p, (0, -0.08, -0.33), (0.06, 0.09, 0.1)
    )
    out[:, 1] += (0.22 * s["lip_full"] * (y - 0.356) + 0.016 * s["mouth_height"]) * mouth
    out[:, 2] -= 0.014 * s["lip_forward"] * mouth
    out[:, 0] += 0.075 * s["mouth_width"] * np.clip(x, -0.2, 0.2) * _ball(p, (0, 0.36, -0.2), (0.28, 0.14, 0.25))
    eyes = _pair(p, (0.235, -0.207, -0.10), (0.15, 0.10, 0.16))
    dx, dy = x - 0.235 * side, y + 0.207
    grow, tilt = 0.075 * s["eye_size"], 0.035 * s["eye_tilt"] * side
    out[:, 0] += eyes * (grow * dx + tilt * dy + 0.013 * s["eye_space"] * side)
    out[:, 1] += eyes * (grow * dy - tilt * dx + 0.012 * s["eye_height"])
    brow = _pair(p, (0.25, -0.36, -0.18), (0.22, 0.07, 0.15))
    out[:, 1] -= 0.014 * s["brow_height"] * brow
    out[:, 2] -= 0.016 * s["brow_ridge"] * _ball(p, (0, -0.34, -0.22), (0.34, 0.08, 0.14))
    cheek, bone = _pair(p, (0.34, 0.28, 0.05), (0.15, 0.20, 0.25)), _pair(p, (0.36, -0.02, -0.02), (0.14, 0.12, 0.2))
    out[:, 0] += side * (0.03 * s["cheek"] + 0.02 * s["fat"]) * cheek + side * 0.014 * s["cheekbone"] * bone
    out[:, 2] -= 0.020 * s["cheek"] * cheek + 0.016 * s["cheekbone"] * bone
    chin = _ball(p, (0, 0.70, -0.10), (0.24, 0.17, 0.22))
    out[:, 1] += 0.028 * s["chin"] * chin
    out[:, 2] -= 0.025 * s["chin_forward"] * chin
    low = 1 / (1 + np.exp(-(y - 0.35) / 0.12))
    out[:, 0] *= 1 + 0.055 * s["jaw"] * low * np.exp(-np.square((z - 0.1) / 0.5))
    out[:, 2] -= 0.02 * s["forehead"] * _ball(p, (0, -0.52, -0.18), (0.4, 0.16, 0.3))
    high = 1 / (1 + np.exp((y + 0.6) / 0.1))
    out[:, 1] -= 0.03 * s["skull"] * high
    rng = np.random.default_rng([traits.seed, 7002])
    for _ in range(4):  # nobody is symmetric
        k = rng.normal(0, 2.2, 3)
        out += 0.006 * np.sin(p @ k + rng.uniform(0, 6.28))[:, None] * rng.normal(0, 1, 3)
    out[:, 0] *= 1 + 0.04 * s["width"] + 0.02 * s["fat"]
    out[:, 1] *= 1 + np.where(out[:, 1] > 0, 0.03 * s["lower"], 0.03 * s["upper"])
    return out
