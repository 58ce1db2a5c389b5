"""The face model, compiled once for fixed batch shapes: portraits to latents, motion to pictures.

`encode` runs once a portrait and `decode` once a batch of frames; the canonical volume stays on the device between
them, one for the whole batch. Nothing is donated: no result has the shape of an argument that is not needed again.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import jax
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.models.face_latent import FaceLatents


class FaceRenderer:
    """A face latent model ready for use.

    Where the model moves the source picture (`source_skip`), pictures larger than the model's own are composed
    from the portrait at full detail: the flow, the blend and what is painted are refined, the source is not.

    Args:
      model: FaceLatentModel, or anything with its `apply`.
      params: its parameters.
      size: side of the model's picture in pixels.
      source_skip: whether `render` returns "coords", "keep" and "painted".
      batch: frames computed at once; the last batch is padded, so that nothing is compiled twice.
    """

    def __init__(self, model: Any, params: Any, size: int, *, source_skip: bool = False, batch: int = 4):
        self.size, self.batch, self.source_skip = size, batch, source_skip
        self._params = jax.device_put(params)

        def method(name: str, params: Any, *args: Any) -> Any:
            return model.apply({"params": params}, *args, method=name)

        def pictures(name: str, params: Any, latents: FaceLatents, motion: jax.Array) -> Any:
            return method(name, params, latents, motion[:, :7], motion[:, 7:])

        self._encode = jax.jit(lambda params, image: method("encode", params, image))
        self._encode_motion = jax.jit(lambda params, image: method("encode_motion", params, image))
        self._pose = jax.jit(lambda params, image: method("encode_motion", params, image)[0])  # compiles to less
        self._labels = jax.jit(lambda params, dynamics: method("read_labels", params, dynamics))
        self._decode = jax.jit(lambda *args: pictures("decode", *args))
        self._render = jax.jit(lambda *args: _parts(pictures("render", *args)))

    def encode(self, picture: UInt8[np.ndarray, "s s 3"]) -> FaceLatents:
        """Latents of one portrait crop of the model's size, batch of one."""
        return self._encode(self._params, _unit(picture)[None])

    def decode(self, latents: FaceLatents, motion: Float[np.ndarray, "b m"]) -> Float[jax.Array, "b s s 3"]:
        """One batch of pictures in 0..1, left on the device; returns before they are ready."""
        return self._decode(self._params, latents, motion)

    def pose(self, picture: Float[np.ndarray, "s s 3"]) -> Float[np.ndarray, " 7"]:
        """Head pose of one picture in 0..1."""
        return np.asarray(self._pose(self._params, picture[None]))[0]

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
            if self.source_skip and portrait is not None:
                parts = jax.device_get(self._render(self._params, latents, group))
                for i in range(count):
                    yield compose(portrait, parts["coords"][i], parts["keep"][i], parts["painted"][i], size)
                continue
            for image in np.asarray(self.decode(latents, group))[:count]:
                yield _bytes(
                    image if size == self.size else cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
                )


def compose(
    portrait: UInt8[np.ndarray, "p p 3"],
    coords: Float[np.ndarray, "h w 2"],
    keep: Float[np.ndarray, "h w 1"],
    painted: Float[np.ndarray, "h w 3"],
    size: int,
) -> UInt8[np.ndarray, "s s 3"]:
    """The generator's blend at the portrait's resolution.

    `coords` are -1..1 at the centres of the end pixels of the model's picture, so pixel u lies at
    (u + 1) / 2 * (h - 1) there, and a pixel p of h at (p + 0.5) s / h - 0.5 of the s of the crop, which lies in the
    middle of a portrait that may show more: what a turning head uncovers then comes from the picture.
    """
    side, margin = coords.shape[0], (portrait.shape[0] - size) / 2
    place = ((coords + 1) * 0.5 * (side - 1) + 0.5) * (size / side) - 0.5 + margin
    fine = [cv2.resize(part, (size, size), interpolation=cv2.INTER_CUBIC) for part in (place, keep, painted)]
    map_x, map_y = np.ascontiguousarray(fine[0][..., 0]), np.ascontiguousarray(fine[0][..., 1])
    moved = cv2.remap(portrait, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = np.clip(fine[1].reshape(size, size, 1), 0, 1)
    return np.clip(share * moved + (1 - share) * 255 * fine[2] + 0.5, 0, 255).astype(np.uint8)


def _parts(rendered: dict[str, jax.Array]) -> dict[str, jax.Array]:
    return {name: rendered[name] for name in ("coords", "keep", "painted")}


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
