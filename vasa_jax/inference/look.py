"""A portrait, ready to be moved: where its face is, what the face model makes of it, and its pixels at full detail."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.inference import editing, given
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.models.face_latent import FaceLatents
from vasa_jax.paths import PathLike


@dataclasses.dataclass(frozen=True)
class Look:
    """What is kept of a portrait.

    Attributes:
      latents: on the device.
      large: the crop at full detail, with a margin where the image has one.
      size: side of the images that are made of it.
      home, code: the portrait's own pose [7] and dynamics.
      start: the motion it holds, around a head that faces the viewer [m].
    """

    latents: FaceLatents
    large: UInt8[np.ndarray, "p p 3"]
    size: int
    box: portraits.FaceBox
    sha256: str

    @property
    def home(self) -> Float[np.ndarray, " 7"]:
        return np.asarray(self.latents.pose)[0]

    @property
    def code(self) -> Float[np.ndarray, " d"]:
        return np.asarray(self.latents.dynamics)[0]

    @property
    def start(self) -> Float[np.ndarray, " m"]:
        return np.concatenate([editing.made_pose(editing.PORTRAIT, 1)[0], self.code])


def look_at(
    renderer: FaceRenderer, portrait: Any, size: int, face_model: PathLike | None, watch: Any, notes: list[str]
) -> Look:
    """Reads the image, finds the face and encodes it.

    Args:
      portrait: whatever `given.image` takes.
      size: side of the images to make.
      watch: a `Stopwatch`.
      notes: gets lines about what was guessed.

    Raises:
      InputError: no image, or no face that can be moved.
    """
    shown = watch.call("picture", given.image, portrait, notes.append)
    options = {"name": shown.name, "pose_of": renderer.pose, "resolution": renderer.size, "face_model": face_model}
    box = watch.call("face", portraits.find_face, shown.pixels, **options)
    latents = watch.call("encode", renderer.encode, portraits.cut(shown.pixels, box, renderer.size))
    large = portraits.cut_with_margin(shown.pixels, box, size)
    return Look(latents, large, size, box, shown.sha256)
