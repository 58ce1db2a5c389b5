"""The face model, compiled once for fixed batch shapes: portraits to latents, motion to images.

`encode` runs once a portrait and `decode` once a batch of frames; the canonical volume stays on the device between
them, one for the whole batch. Nothing is donated: no result has the shape of an argument that is not needed again.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, SupportsInt

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.models.aligned_generator import CENTRE, EXTENT, blend_window, portrait_colours
from vasa_jax.models.face_latent import FaceLatents
from vasa_jax.models.generators import moves_source
from vasa_jax.ops.colour import from_frame, into_frame
from vasa_jax.ops.warp import identity_grid

_DEVIATIONS = 6.0
_PLAIN: Mapping[str, Any] = types.MappingProxyType({})


class FaceRenderer:
    """A face latent model ready for use.

    Where the model moves the source image (`moves_source`), images larger than the model's own are composed
    from the portrait at full detail: the flow, the blend and what is painted are refined, the source is not.

    Args:
      model: FaceLatentModel, or anything with its `apply`.
      params: its parameters.
      size: side of the model's image in pixels.
      generator: its configuration, which tells what `render` returns to compose images from.
      batch: frames computed at once; the last batch is padded, so that nothing is compiled twice.
    """

    def __init__(self, model: Any, params: Any, size: int, *, generator: Mapping[str, Any] = _PLAIN, batch: int = 4):
        self.size, self.batch, self.moves_source = size, batch, moves_source(generator)
        aligned = generator.get("kind") == "aligned"
        self._composer, wanted = (from_square, SQUARE_PARTS) if aligned else (from_full, FULL_PARTS)
        self._params = jax.device_put(params)

        def method(name: str, params: Any, *args: Any) -> Any:
            return model.apply({"params": params}, *args, method=name)

        def images(name: str, params: Any, latents: FaceLatents, motion: jax.Array) -> Any:
            return method(name, params, latents, motion[:, :7], motion[:, 7:])

        self._encode = jax.jit(lambda params, image: method("encode", params, image))
        self._encode_motion = jax.jit(lambda params, image: method("encode_motion", params, image))
        self._pose = jax.jit(lambda params, image: method("encode_motion", params, image)[0])  # compiles to less
        self._labels = jax.jit(lambda params, dynamics: method("read_labels", params, dynamics))
        self._decode = jax.jit(lambda *args: images("decode", *args))

        def parts(params: Any, latents: FaceLatents, motion: jax.Array) -> dict[str, jax.Array]:
            out = images("render", params, latents, motion)
            return _in_own_colours({name: out[name] for name in wanted}, latents)

        self._render = jax.jit(parts)
        one = parts if self.moves_source else functools.partial(images, "decode")
        every = jax.vmap(one, in_axes=(None, 0, 0))
        self._rows = jax.jit(lambda p, rows, motion: every(p, jax.tree.map(lambda *x: jnp.stack(x), *rows), motion))

    def encode(self, image: UInt8[np.ndarray, "s s 3"]) -> FaceLatents:
        """Latents of one portrait crop of the model's size, batch of one."""
        return self._encode(self._params, _unit(image)[None])

    def decode(self, latents: FaceLatents, motion: Float[np.ndarray, "b m"]) -> Float[jax.Array, "b s s 3"]:
        """One batch of images in 0..1, left on the device; returns before they are ready."""
        return self._decode(self._params, latents, motion)

    def pose(self, image: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, " 7"]:
        """Head pose of one image in 0..1."""
        return np.asarray(self._pose(self._params, image[None]))[0]

    def motion(self, images: Iterable[UInt8[np.ndarray, "s s 3"]]) -> Iterator[Float[np.ndarray, " m"]]:
        """Pose and dynamics of each image."""
        for group, count in _groups(images, self.batch):
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
        """One image a motion vector.

        Args:
          latents: of `encode`.
          motion: pose and dynamics of each frame.
          portrait: the crop at full detail, for models that move it; wider than `size` where it has a margin.
          size: side of the images; the portrait's if one is given, else the model's.
        """
        size = size or (self.size if portrait is None else portrait.shape[0])
        moved = self.moves_source and portrait is not None
        compute = self._render if moved else self._decode

        def made(item: tuple[np.ndarray, int]) -> Any:
            return jax.device_get(compute(self._params, latents, item[0]))

        for parts, (group, count) in _ahead(made, _groups(motion, self.batch)):
            for i in range(count):
                yield self.finish(_pick(parts, i), group[i, :7], portrait, size)

    def decode_rows(self, latents: Sequence[FaceLatents], motion: Float[np.ndarray, "r b m"]) -> list[list[Any]]:
        """What `finish` makes images of, for several portraits at once, a row each with as many frames.

        Args:
          latents: of `encode`, one a row.
          motion: of its frames.
        """
        if len(latents) == 1:  # one portrait's frames share its volume; rows cannot
            run = self._render if self.moves_source else self._decode
            rows = [jax.device_get(run(self._params, latents[0], motion[0]))]
        else:
            parts = jax.device_get(self._rows(self._params, tuple(latents), motion))
            rows = [_pick(parts, r) for r in range(len(motion))]
        return [[_pick(row, i) for i in range(motion.shape[1])] for row in rows]

    def finish(
        self, parts: Any, pose: Float[np.ndarray, " 7"], portrait: UInt8[np.ndarray, "p p 3"] | None, size: int
    ) -> UInt8[np.ndarray, "s s 3"]:
        """One image from what the model returned for it; see `frames`."""
        if isinstance(parts, dict):
            assert portrait is not None  # of models that move it
            return compose(portrait, self._composer(parts, pose, self.size, size))
        if size != self.size:
            parts = cv2.resize(parts, (size, size), interpolation=cv2.INTER_CUBIC)
        return _bytes(parts)


def _pick(parts: Any, i: int) -> Any:
    """The part of one frame, or of one row."""
    return {name: part[i] for name, part in parts.items()} if isinstance(parts, dict) else parts[i]


def _in_own_colours(parts: dict[str, jax.Array], latents: FaceLatents) -> dict[str, jax.Array]:
    """What is painted, held to the portrait's own colours (`ops.colour`): grey portraits get no green mouths.

    The aligned generator writes in them; others may paint what they saw in training. Colours within `_DEVIATIONS` of
    the portrait's mean stay as they are.
    """
    if "synthesised" not in parts:
        return parts
    assert latents.image is not None  # of models that move it
    frame = portrait_colours(latents.image, latents.pose)
    frame = jnp.broadcast_to(frame, (len(parts["synthesised"]), *frame.shape[1:]))
    units = jnp.clip(into_frame(parts["synthesised"], frame), -_DEVIATIONS, _DEVIATIONS)
    return parts | {"synthesised": from_frame(units, frame)}


@dataclasses.dataclass(frozen=True)
class Layers:
    """What an image of `size` pixels is composed from.

    Attributes:
      place: where each pixel is read in the portrait's crop, in its pixels.
      at: the rows and columns in which something is painted.
      share: how much of each pixel there is painted; painted: with what, 0..1.
    """

    place: Float[np.ndarray, "s s 2"]
    at: tuple[slice, slice]
    share: Float[np.ndarray, "h w"]
    painted: Float[np.ndarray, "h w 3"]


def compose(portrait: UInt8[np.ndarray, "p p 3"], layers: Layers) -> UInt8[np.ndarray, "s s 3"]:
    """The generator's blend at the portrait's resolution.

    The portrait may show more than the image on all sides: what a turning head uncovers then comes from there.
    """
    margin = (portrait.shape[0] - layers.place.shape[0]) / 2
    place = layers.place + np.float32(margin) if margin else layers.place
    # OpenCV's stub knows no map of two channels, beside which there is no other.
    image = cv2.remap(portrait, place, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    moved = image[layers.at]
    mixed = moved + layers.share[..., None] * (255 * layers.painted - moved)
    image[layers.at] = np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
    return image


# What a generator returns, to layers. Coordinates are -1..1 at the centres of the end pixels of the model's image of
# `side` pixels, and pixel p of `size` lies at (p + 0.5) side / size - 0.5 of them.

FULL_PARTS = ("sampling_grid", "blend_mask", "synthesised")
SQUARE_PARTS = ("coarse", "square")
"""What is taken of a generator's outputs."""


def from_full(parts: dict[str, np.ndarray], pose: np.ndarray, side: int, size: int) -> Layers:
    """Of the paper's `Generator` with a source skip: all of it in the model's pixels."""
    sampling_grid, blend_mask, synthesised = (
        cv2.resize(parts[name], (size, size), interpolation=cv2.INTER_CUBIC) for name in FULL_PARTS
    )
    share = np.clip(1 - blend_mask.reshape(size, size), 0, 1)
    return Layers(_pixels(sampling_grid, side, size), np.s_[:size, :size], share, synthesised)


def from_square(parts: dict[str, np.ndarray], pose: np.ndarray, side: int, size: int) -> Layers:
    """Of the `AlignedGenerator`: a coarse flow of the whole image, and the face's square, where alone is painted.

    Affine maps carry cells to pixels; what lies outside of the square costs nothing but the flow.
    """
    coarse, square = parts["coarse"], parts["square"]
    cells, pixels = coarse.shape[0], square.shape[0]
    # Pixels of the result -> -1..1 of the image -> the square, as matrices [3, 3]; then both to cells.
    image = _affine(2 * side / size / (side - 1), (side / size - 1) / (side - 1) - 1)
    cos, sin = np.cos(pose[2]) / pose[6], np.sin(pose[2]) / pose[6]
    upright = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    upright[:2, 2] = -upright[:2, :2] @ pose[3:5] - [0, CENTRE]
    over = _affine(0.5 * (cells - 1), 0.5 * (cells - 1)) @ image
    into = _affine(0.5 * (pixels - 1), 0.5 * (pixels - 1)) @ _affine(1 / EXTENT, 0.0) @ upright @ image
    corners = np.linalg.solve(into, [[0, 0, pixels, pixels], [0, pixels, 0, pixels], [1, 1, 1, 1]])[:2]
    low = np.clip(np.floor(corners.min(1)), 0, size - 1).astype(int)
    high = np.clip(np.ceil(corners.max(1)), low + 1, size).astype(int)
    into = into @ np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1]])

    def warp(part: np.ndarray, matrix: np.ndarray, shape: Iterable[SupportsInt], border: int) -> np.ndarray:
        sides = tuple(int(n) for n in shape)
        return cv2.warpAffine(part, matrix[:2], sides, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)

    # The flow becomes pixels while it is small.
    place = warp(_pixels(coarse, side, size), over, (size, size), cv2.BORDER_REPLICATE)
    unit = np.float32(0.5 * (side - 1) * size / side)
    window = _window(pixels)
    blend = np.concatenate([window * (1 - square[..., 3:4]), (unit * window) * square[..., 4:]], -1)
    blend = warp(blend, into, high - low, cv2.BORDER_CONSTANT)
    painted = warp(square[..., :3], into, high - low, cv2.BORDER_REPLICATE)
    at = np.s_[low[1] : high[1], low[0] : high[0]]
    place[at] += blend[..., 1:]
    return Layers(place, at, blend[..., 0], painted)


def _affine(scale: float, shift: float) -> Float[np.ndarray, "3 3"]:
    return np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]])


@functools.cache
def _window(pixels: int) -> Float[np.ndarray, "s s 1"]:
    return np.asarray(blend_window(identity_grid((pixels, pixels))))


def _pixels(coords: Float[np.ndarray, "s s 2"], side: int, size: int) -> Float[np.ndarray, "s s 2"]:
    """-1..1 of the model's image to pixels of one of `size`."""
    return ((coords + 1) * (0.5 * (side - 1)) + 0.5) * (size / side) - 0.5


def _unit(image: UInt8[np.ndarray, "*b 3"]) -> Float[np.ndarray, "*b 3"]:
    return image.astype(np.float32) / 255


def _bytes(image: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8)


def _ahead(make: Callable[[Any], Any], items: Iterable[Any], most: int = 2) -> Iterator[tuple[Any, Any]]:
    """What is made of each item, with the item, in order. Up to `most` are being made while one is used.

    Two at once, because the small arrays of one do not keep even two cores busy.
    """
    with concurrent.futures.ThreadPoolExecutor(most, thread_name_prefix="decode") as pool:
        waiting: collections.deque[tuple[concurrent.futures.Future, Any]] = collections.deque()
        for item in items:
            waiting.append((pool.submit(make, item), item))
            if len(waiting) > most:
                future, used = waiting.popleft()
                yield future.result(), used
        for future, used in waiting:
            yield future.result(), used


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
