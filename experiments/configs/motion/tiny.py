"""The smallest motion model: follows face/tiny_64.py, trains from nothing in minutes on two CPU cores.

Command  vasa-train --config=experiments/configs/motion/tiny.py --workdir=runs/motion_tiny
Data     motion of the tiny_64 face model (7 + 16 values a frame) over procedural heads
"""

import ml_collections

from experiments.configs.motion import small


def get_config() -> ml_collections.ConfigDict:
    config = small.get_config()
    config.steps = 600
    config.batch_size = 32
    config.checkpoint_every = 200
    config.eval_every = 200
    config.data.mixture = {"procedural_heads": 1.0}
    config.model.update({"motion_dim": 23, "width": 96, "depth": 3, "heads": 4})
    config.optimizer.update({"lr": 2e-3})
    return config
