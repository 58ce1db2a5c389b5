"""The image of a posed head: light, background, camera, and the renderer that puts them together."""

import dataclasses
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines.schema import MARGIN
from data_pipelines.synthetic.raster import rasterise
from data_pipelines.synthetic.textures import smooth_noise

SUPERSAMPLING = 2
_NOISE_SHIFTS = 64  # one field of noise, cut at a random place for each frame


@dataclasses.dataclass(frozen=True)
class Scene:
    """Light and camera of a clip; directions point to the light (x right, y down, z away from the viewer)."""

    seed: int
    key_direction: np.ndarray
    key: np.ndarray
    fill_direction: np.ndarray
    fill: np.ndarray
    ambient: np.ndarray
    gain: np.ndarray
    gamma: float
    blur: float
    noise: float


def sample_scene(seed: int) -> Scene:
    """The scene of a clip number."""
    rng = np.random.default_rng([seed, 7101])

    def direction(spread_x: float, spread_y: float) -> np.ndarray:
        v = np.array([rng.normal(0, spread_x), rng.normal(-0.45, spread_y), -1.0])
        return v / np.linalg.norm(v)

    warm = rng.normal(0, 0.06)
    tint = np.array([1 + warm, 1, 1 - warm])
    strength = rng.uniform(0.35, 0.75)
    total = rng.uniform(0.85, 1.12)
    side = np.array([rng.choice([-1, 1]), rng.normal(-0.1, 0.3), rng.normal(0, 0.5)])
    return Scene(
        seed=seed,
        key_direction=direction(0.7, 0.35),
        key=strength * total * tint * 1.15,
        fill_direction=side / np.linalg.norm(side),
        fill=rng.uniform(0, 0.25) * rng.uniform(0.5, 1.2, 3),
        ambient=(1 - strength) * total * rng.uniform(0.95, 1.05, 3),
        gain=rng.normal(1, 0.025, 3) * rng.uniform(0.85, 1.12),
        gamma=float(np.exp(rng.normal(0, 0.12))),
        blur=float(rng.uniform(0, 0.7) if rng.random() < 0.5 else 0),
        noise=float(rng.uniform(0, 0.018)),
    )


def background(seed: int, size: int) -> Float[np.ndarray, "h w 3"]:
    """An image of nothing in particular, 0..1: plain, gradient, blurred blobs or a soft texture."""
    rng = np.random.default_rng([seed, 7102])
    kind = rng.integers(4)
    a, b = rng.uniform(0.05, 0.95, 3), rng.uniform(0.05, 0.95, 3)
    grey = rng.uniform(0.05, 0.4) if rng.random() < 0.85 else 0.8  # rooms are mostly grey
    a, b = a.mean() + grey * (a - a.mean()), b.mean() + grey * (b - b.mean())
    u, v = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    angle = rng.uniform(0, 2 * np.pi)
    ramp = 0.5 + 0.5 * (u * np.cos(angle) + v * np.sin(angle)) / 1.42
    image = (a + (b - a) * (ramp * (0.3 if kind == 0 else 1))[..., None]).astype(np.float32)
    if kind >= 2:
        small = cv2.resize(image, (64, 64))
        for _ in range(rng.integers(6, 22)):
            centre = tuple(int(c) for c in rng.integers(0, 64, 2))
            colour = tuple(
                float(c) for c in np.clip(rng.choice([a, b]) + rng.normal(0, 0.2) + grey * rng.normal(0, 0.15, 3), 0, 1)
            )
            if rng.random() < 0.5:
                cv2.circle(small, centre, int(rng.integers(2, 14)), colour, -1)
            else:
                corner = tuple(int(c + d) for c, d in zip(centre, rng.integers(3, 30, 2), strict=True))
                cv2.rectangle(small, centre, corner, colour, -1)
        image = cv2.resize(
            cv2.GaussianBlur(small, (0, 0), rng.uniform(0.7, 4)), (size, size), interpolation=cv2.INTER_CUBIC
        )
    image = image * (1 + 0.03 * smooth_noise(rng, size, size, 40) * rng.random())[..., None]
    return np.clip(image, 0, 1).astype(np.float32)


@runtime_checkable
class Drawn(Protocol):
    """What is drawn of a head: see `head.Head`, which is one of them."""

    traits: Any
    triangles: np.ndarray
    uv: np.ndarray
    atlas: np.ndarray
    shine: np.ndarray
    shade: np.ndarray
    two_sided: np.ndarray

    def normals(self, points: np.ndarray) -> np.ndarray: ...


@runtime_checkable
class Placed(Protocol):
    """All vertices of a head in a frame, crop-normalised."""

    points: np.ndarray


class Renderer:
    """Draws a head in a scene at one size. What a clip keeps for all its frames is computed once."""

    def __init__(
        self,
        head: Drawn,
        scene: Scene,
        size: int,
        supersampling: float = SUPERSAMPLING,
        behind: Callable[[int], np.ndarray] | None = None,
    ) -> None:
        """`behind`: size -> image [size, size, 3] in 0..1 to stand before, instead of the scene's `background`."""
        self.head, self.scene, self.size = head, scene, size
        self._inner = round(size * supersampling)
        self._background = behind(self._inner) if behind else background(scene.seed, self._inner)
        self._rng = np.random.default_rng([scene.seed, 7103])
        shape = (size + _NOISE_SHIFTS, size + _NOISE_SHIFTS, 3)
        self._noise = scene.noise * self._rng.standard_normal(shape, np.float32)
        self._canvas = smooth_noise(self._rng, size, size, size / 2)

    def _light(self, points: np.ndarray) -> np.ndarray:
        """Attributes [v, 6] per vertex: atlas x, y, light RGB, highlight."""
        head, scene = self.head, self.scene
        normals = head.normals(points)
        facing = normals @ np.stack([scene.key_direction, scene.fill_direction], -1)
        key = np.clip((facing[:, 0] + 0.25) / 1.25, 0, None)
        sky = 0.80 + 0.20 * -normals[:, 1]
        light = scene.key * key[:, None] + scene.fill * np.clip(facing[:, 1:], 0, None) + scene.ambient * sky[:, None]
        half = scene.key_direction + np.array([0, 0, -1.0])
        gloss = np.clip(normals @ (half / np.linalg.norm(half)), 0, None)
        sharp = np.where(head.shine > 0.5, 90, 14)
        highlight = head.shine * gloss**sharp * scene.key.mean() * 1.2
        uv = head.uv * len(head.atlas) - 0.5
        return np.concatenate([uv, light * head.shade[:, None], highlight[:, None]], -1).astype(np.float32)

    def __call__(self, posed: Placed) -> UInt8[np.ndarray, "h w 3"]:
        """The stored image, spanning -MARGIN..MARGIN."""
        return self.with_matte(posed)[0]

    def with_matte(self, posed: Placed) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
        """The stored image, and its matte: 255 where only the person is seen. A soft lens blurs the image alone."""
        n = self._inner
        pixels = posed.points.astype(np.float32)
        pixels[:, :2] = (pixels[:, :2] / MARGIN + 1) * (n / 2) - 0.5
        head = self.head
        seen = rasterise(pixels, head.triangles, head.two_sided, n, n)
        attributes, corners = self._light(posed.points), head.triangles[seen.triangle]
        values = sum(attributes[corners[:, k]] * seen.weights[k][:, None] for k in range(3))
        texture = _sample(head.atlas, values)
        light = values[:, 2:5]
        if head.traits.style == "cartoon":
            level = light.mean(-1, keepdims=True)
            light = light / (level + 1e-6) * (np.floor(np.minimum(level, 1.1) * 3.2) + 0.6) / 3.2
        drawn = self._background.reshape(-1, 3).copy()
        drawn[seen.pixel] = texture * light + values[:, 5:]
        image = cv2.resize(drawn.reshape(n, n, 3), (self.size, self.size), interpolation=cv2.INTER_AREA)
        covered = np.zeros(n * n, np.uint8)
        covered[seen.pixel] = 255
        matte = cv2.resize(covered.reshape(n, n), (self.size, self.size), interpolation=cv2.INTER_AREA)
        return self._camera(image), matte

    def _camera(self, image: np.ndarray) -> np.ndarray:
        scene, style = self.scene, self.head.traits.style
        image = cv2.pow(np.clip(image * scene.gain.astype(np.float32), 0, 1), scene.gamma)
        if style == "painting":
            image = cv2.bilateralFilter(image.astype(np.float32), 7, 0.12, 2.2)
            image = image * (1 + 0.05 * self._canvas)[..., None]
        if scene.blur > 0.2 and style == "photo":
            image = cv2.GaussianBlur(image, (0, 0), scene.blur * self.size / 160)
        if style == "photo" and scene.noise:
            x, y = self._rng.integers(0, _NOISE_SHIFTS, 2)
            image = image + self._noise[y : y + self.size, x : x + self.size]
        return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _sample(atlas: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bilinear samples; `remap` takes at most 32767 columns, so the list is folded into rows."""
    count, width = len(values), 4096
    padded = np.zeros((-(-count // width) * width, 2), np.float32)
    padded[:count] = values[:, :2]
    folded = padded.reshape(-1, width, 2)
    return cv2.remap(atlas, np.ascontiguousarray(folded), None, cv2.INTER_LINEAR).reshape(-1, 3)[:count]
