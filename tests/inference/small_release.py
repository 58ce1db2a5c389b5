"""A release of 64 px with drawn weights, for what is written from releases."""

from pathlib import Path

import jax
import ml_collections
import numpy as np

from experiments.configs.face import tiny_64
from vasa_jax import weights
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.motion_transformer import MotionConfig, init_params

SIZE = 64
SHAPE = {"width": 16, "depth": 1, "heads": 2, "window": 10, "context": 2, "layout": "B", "audio_blocks": 1}


def _drawn(tree):
    random = np.random.default_rng(0)

    def draw(path, leaf):
        ones = path[-1].key == "scale"
        return np.float32(ones + random.normal(0, 0.3 / max(1, np.prod(leaf.shape[:-1])) ** 0.5, leaf.shape))

    return jax.tree_util.tree_map_with_path(draw, tree)


def make(folder: Path) -> weights.Release:
    """Writes and loads it."""
    config = ml_collections.FrozenConfigDict(tiny_64.get_model())
    model = FaceLatentModel(config)
    image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), np.float32)
    dim = 7 + config.dynamics.features
    # Shapes alone, since compiling the initialisers takes longer than all the rest.
    face = _drawn(jax.eval_shape(model.init, jax.random.key(0), image, image)["params"])
    ear = MotionConfig(**SHAPE, motion_dim=dim)
    motion = _drawn(jax.eval_shape(lambda key: init_params(ear, key), jax.random.key(1)))
    weights.save_release(
        folder,
        face_config=config.to_dict(),
        face_params=face,
        motion_config=SHAPE | {"motion_dim": dim},
        motion_params=motion,
        motion_stats={"mean": np.linspace(0, 0.2, dim), "std": np.linspace(0.1, 0.3, dim)},
        stored="float32",
    )
    return weights.load_release(folder)
