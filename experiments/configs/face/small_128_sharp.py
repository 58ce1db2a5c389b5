"""Last part of the bundled weights: a critic sharpens what is painted; the encoders of motion stand still.

Command  vasa-train --config=experiments/configs/face/small_128_sharp.py --workdir=runs/face_small_128_sharp
"""

import ml_collections

from experiments.configs.face import small_128_detail


def get_config() -> ml_collections.ConfigDict:
    config = small_128_detail.get_config()
    config.seed = 3
    config.steps = 900
    config.init_from = "runs/face_small_128_detail"
    config.frozen = "dynamics_encoder|pose_encoder|label_head"
    config.discriminator = {
        "enabled": True,
        "widths": (24, 48, 64),
        "scales": 2,
        "patch": 2,
        "detail": 6.0,
        "norm": "layer",
    }
    config.optimizer_discriminator.lr = 5e-4
    config.loss_adversarial_start = 150
    config.loss.adversarial = 0.1
    config.optimizer.lr = 5e-4
    config.optimizer.warmup_steps = 50
    return config
