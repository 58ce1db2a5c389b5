"""The face model, compiled once for fixed batch shapes: portraits to latents, motion to pictures.

`encode` runs once a portrait and `decode` once a batch of frames; the canonical volume stays on the device between
them, one for the whole batch. Nothing is donated: no result has the shape of an argument that is not needed again.
"""

import functools
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import jax
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.models.aligned_generator import CENTRE, EXTENT, blend_window
from vasa_jax.models.face_latent import FaceLatents, moves_source
from vasa_jax.ops.warp import identity_grid

_PLAIN: Mapping[str, Any] = types.MappingProxyType({})


class FaceRenderer:
    """A face latent model ready for use.

    Where the model moves the source picture (`moves_source`), pictures larger than the model's own are composed
    from the portrait at full detail: the flow, the blend and what is painted are refined, the source is not.

    Args:
      model: FaceLatentModel, or anything with its `apply`.
      params: its parameters.
      size: side of the model's picture in pixels.
      generator: its configuration, which tells what `render` returns to compose pictures from.
      batch: frames computed at once; the last batch is padded, so that nothing is compiled twice.
    """

    def __init__(self, model: Any, params: Any, size: int, *, generator: Mapping[str, Any] = _PLAIN, batch: int = 4):
        self.size, self.batch, self.moves_source = size, batch, moves_source(generator)
        self._composer = from_square if generator.get("kind") == "aligned" else from_full
        self._params = jax.device_put(params)

        def method(name: str, params: Any, *args: Any) -> Any:
            return model.apply({"params": params}, *args, method=name)

        def pictures(name: str, params: Any, latents: FaceLatents, motion: jax.Array) -> Any:
            return method(name, params, latents, motion[:, :7], motion[:, 7:])

        self._encode = jax.jit(lambda params, image: method("encode", params, image))
        self._encode_motion = jax.jit(lambda params, image: method("encode_motion", params, image))
        self._labels = jax.jit(lambda params, dynamics: method("read_labels", params, dynamics))
        self._decode = jax.jit(lambda *args: pictures("decode", *args))
        names = self._composer.parts
        self._render = jax.jit(lambda *args: {name: pictures("render", *args)[name] for name in names})

    def encode(self, picture: UInt8[np.ndarray, "s s 3"]) -> FaceLatents:
        """Latents of one portrait crop of the model's size, batch of one."""
        return self._encode(self._params, _unit(picture)[None])

    def decode(self, latents: FaceLatents, motion: Float[np.ndarray, "b m"]) -> Float[jax.Array, "b s s 3"]:
        """One batch of pictures in 0..1, left on the device; returns before they are ready."""
        return self._decode(self._params, latents, motion)

    def pose(self, picture: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, " 7"]:
        """Head pose of one picture in 0..1."""
        return np.asarray(self._encode_motion(self._params, picture[None])[0])[0]

    def motion(self, pictures: Iterable[UInt8[np.ndarray, "s s 3"]]) -> Iterator[Float[np.ndarray, " m"]]:
        """Pose and dynamics of each picture."""
        for group, count in _groups(pictures, self.batch):
            pose, dynamics = self._encode_motion(self._params, _unit(group))
            yield from np.concatenate([pose, dynamics], -1)[:count]

    def labels(self, dynamics: Float[np.ndarray, "t d"]) -> dict[str, Float[np.ndarray, "t 2"]]:
        """What dynamics codes tell of mouth (opening, rounding), lid closure and eye-in-head angles."""
        return jax.device_get(self._labels(self._params, dynamics))

    def frames(
        self,
        latents: FaceLatents,
        motion: Iterable[Float[np.ndarray, " m"]],
        portrait: UInt8[np.ndarray, "p p 3"] | None = None,
        size: int | None = None,
    ) -> Iterator[UInt8[np.ndarray, "s s 3"]]:
        """One picture a motion vector.

        Args:
          latents: of `encode`.
          motion: pose and dynamics of each frame.
          portrait: the crop at full detail, for models that move it; wider than `size` where it has a margin.
          size: side of the pictures; the portrait's if one is given, else the model's.
        """
        size = size or (self.size if portrait is None else portrait.shape[0])
        for group, count in _groups(motion, self.batch):
            if self.moves_source and portrait is not None:
                parts = jax.device_get(self._render(self._params, latents, group))
                for i in range(count):
                    one = {name: part[i] for name, part in parts.items()}
                    yield compose(portrait, *self._composer(one, group[i, :7], self.size, size), size)
                continue
            for image in np.asarray(self.decode(latents, group))[:count]:
                yield _bytes(
                    image if size == self.size else cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
                )


def compose(
    portrait: UInt8[np.ndarray, "p p 3"],
    place: Float[np.ndarray, "s s 2"],
    share: Float[np.ndarray, "s s"],
    painted: Float[np.ndarray, "s s 3"],
    size: int,
) -> UInt8[np.ndarray, "s s 3"]:
    """The generator's blend at the portrait's resolution.

    Args:
      portrait: its crop, which may show more than the picture on all sides: what a turning head uncovers is there.
      place: where each pixel is read, in pixels of the crop without that margin.
      share: how much of each pixel is painted; painted: with what, 0..1.
      size: side of the picture in pixels.
    """
    margin = (portrait.shape[0] - size) / 2
    place = np.asarray(place, np.float32) + np.float32(margin)
    moved = cv2.remap(portrait, place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    rows, columns = (np.flatnonzero(share.max(axis) > 1e-3) for axis in (1, 0))
    if not len(rows):
        return moved
    # Only the part of the picture in which something is painted is worth the arithmetic.
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    alpha = np.clip(share[part], 0, 1)[..., None]
    mixed = moved[part] + alpha * (255 * painted[part] - moved[part])
    moved[part] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return moved


# What a generator returns, to (place, share, painted) of `compose`. Coordinates are -1..1 at the centres of the end
# pixels of the model's picture of `side` pixels: pixel p of `size` lies at (p + 0.5) side / size - 0.5 of them.


def from_full(parts: dict[str, np.ndarray], pose: np.ndarray, side: int, size: int) -> tuple[np.ndarray, ...]:
    """Of the paper's `Generator` with a source skip: all of it in the model's pixels."""
    fine = [cv2.resize(parts[name], (size, size), interpolation=cv2.INTER_CUBIC) for name in from_full.parts]
    return _pixels(fine[0], side, size), 1 - fine[1].reshape(size, size), fine[2]


from_full.parts = ("coords", "keep", "painted")


def from_square(parts: dict[str, np.ndarray], pose: np.ndarray, side: int, size: int) -> tuple[np.ndarray, ...]:
    """Of the `AlignedGenerator`: a coarse flow of the whole picture, and the face's square."""
    coarse, square = parts["coarse"], parts["square"]
    cells, pixels = coarse.shape[0], square.shape[0]
    # Output pixels -> -1..1 of the picture -> the square, as matrices [3, 3]; then both to cells.
    picture = _affine(2 * side / size / (side - 1), (side / size - 1) / (side - 1) - 1)
    cos, sin = np.cos(pose[2]) / pose[6], np.sin(pose[2]) / pose[6]
    upright = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    upright[:2, 2] = -upright[:2, :2] @ pose[3:5] - [0, CENTRE]
    into = _affine(0.5 * (pixels - 1), 0.5 * (pixels - 1)) @ _affine(1 / EXTENT, 0.0) @ upright @ picture
    over = _affine(0.5 * (cells - 1), 0.5 * (cells - 1)) @ picture

    def warp(part: np.ndarray, matrix: np.ndarray, flags: int, border: int) -> np.ndarray:
        return cv2.warpAffine(part, matrix[:2], (size, size), flags=flags | cv2.WARP_INVERSE_MAP, borderMode=border)

    window = _window(pixels)
    colours = warp(square[..., :3], into, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    blend = np.concatenate([window * (1 - square[..., 3:4]), window * square[..., 4:]], -1)
    blend = warp(blend, into, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
    coords = warp(coarse, over, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE) + blend[..., 1:]
    return _pixels(coords, side, size), blend[..., 0], colours


from_square.parts = ("coarse", "square")


def _affine(scale: float, shift: float) -> Float[np.ndarray, "3 3"]:
    return np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]])


@functools.cache
def _window(pixels: int) -> Float[np.ndarray, "s s 1"]:
    return np.asarray(blend_window(identity_grid((pixels, pixels))))


def _pixels(coords: Float[np.ndarray, "s s 2"], side: int, size: int) -> Float[np.ndarray, "s s 2"]:
    """-1..1 of the model's picture to pixels of one of `size`."""
    return ((coords + 1) * (0.5 * (side - 1)) + 0.5) * (size / side) - 0.5


def _unit(picture: UInt8[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 3"]:
    return picture.astype(np.float32) / 255


def _bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _groups(items: Iterable[np.ndarray], size: int) -> Iterator[tuple[np.ndarray, int]]:
    """Stacks of exactly `size` items and how many of them count; the last is padded with its last item."""
    group: list[np.ndarray] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield np.stack(group), size
            group = []
    if group:
        yield np.stack(group + group[-1:] * (size - len(group))), len(group)
