"""Face latent model at 64 px that trains from nothing on procedural heads on a laptop.

Command  vasa-train --config=experiments/configs/face/tiny_64.py --workdir=runs/face_tiny_64
Data     procedural heads stored at 80 px (python -m data_pipelines.synthetic --config=tiny_64)
"""

import ml_collections

from experiments.configs.face import small_128


def get_model() -> ml_collections.ConfigDict:
    """small_128 at half the resolution and code size: volume 4x16x16, one block fewer in the warps."""
    model = small_128.get_model()
    model.size = 64
    model.face_size = 48
    model.appearance.stem = 24
    model.appearance.widths = (32,)
    model.identity.size = 32
    model.identity.features = 32
    model.pose.widths = (16, 32, 48)
    model.dynamics.features = 16
    model.dynamics.widths = (16, 32, 48)
    model.warp.widths = (24, 16, 12)
    model.warp.features = 32
    model.generator.base = 32
    model.generator.widths = (16,)
    return model


def get_config() -> ml_collections.ConfigDict:
    config = small_128.get_config()
    config.steps = 600
    config.checkpoint_every = 200
    config.eval_every = 200
    config.ema_decay = 0.99
    config.data.mixture = ml_collections.ConfigDict({"procedural_heads": 1.0})
    config.data.size = 80
    config.model = get_model()
    config.optimizer.warmup_steps = 100
    # The discriminator joins late, once there are mouths to be sharpened.
    config.discriminator = {"enabled": True, "widths": (16, 32, 32), "scales": 1, "patch": 2}
    config.loss_start.adversarial = 300
    return config
