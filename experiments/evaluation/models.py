"""Models to score, as users run them."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.errors import InputError
from vasa_jax.training.trained import Trained, open_trained

_BATCH = 8


class FaceModel:
    """The face latent model as users run it (`FaceRenderer`), and its reading of labels.

    Attributes:
      size: side of its images.
      source: where the parameters came from.
    """

    def __init__(self, part: Trained):
        import jax
        import ml_collections

        from vasa_jax.inference.renderer import FaceRenderer
        from vasa_jax.models.face_latent import FaceLatentModel

        config = ml_collections.FrozenConfigDict(part.config)
        model = FaceLatentModel(config)
        self.size, self.source = int(config.size), part.source
        self._renderer = FaceRenderer(model, part.params, self.size, generator=config.generator, batch=_BATCH)
        head = {"params": jax.device_put({"label_head": part.params["label_head"]})}
        self._read = jax.jit(lambda codes: model.apply(head, codes, method="read_labels"))

    def encode(self, image: UInt8[np.ndarray, "s s 3"]) -> Any:
        """Latents of a portrait of the model's size."""
        return self._renderer.encode(image)

    def motion(self, images: Iterable[UInt8[np.ndarray, "s s 3"]]) -> Float[np.ndarray, "t m"]:
        """Pose and dynamics of each image."""
        return np.stack(list(self._renderer.motion(images)))

    def decode(self, latents: Any, motion: Float[np.ndarray, "t m"]) -> UInt8[np.ndarray, "t s s 3"]:
        """Pictures of the portrait's person."""
        return np.stack(list(self._renderer.frames(latents, motion)))

    def labels(self, motion: Float[np.ndarray, "t m"]) -> dict[str, Float[np.ndarray, "t 2"]]:
        """Mouth (opening, rounding), lids (closure) and eyes (angles in the head) read off the dynamics."""
        padded = np.zeros((-(-len(motion) // 64) * 64, motion.shape[1] - 7), np.float32)  # few shapes to compile
        padded[: len(motion)] = motion[:, 7:]
        return {name: np.asarray(value)[: len(motion)] for name, value in self._read(padded).items()}


def load_motion(path: str, speech_model: str | None = None) -> Any:
    """The motion model, ready to speak (`vasa_jax.inference.motion.MotionGenerator`).

    `speech_model` is the folder of the pretrained model that it listens through, if it does.
    """
    from vasa_jax.inference.motion import MotionGenerator
    from vasa_jax.models.audio.front_end import open_for
    from vasa_jax.models.motion_transformer import MotionConfig

    part = open_trained(path, "motion")
    if part.stats is None:
        raise InputError(f"{path} holds no motion statistics; export or train it again")
    config = MotionConfig.create(part.config)
    speech = open_for(config, speech_model or "", "--speech_model")
    return MotionGenerator(config, part.params, part.stats, speech)
