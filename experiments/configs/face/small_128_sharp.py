"""Fourth part of the bundled weights: a discriminator sharpens what is painted; the encoders of motion stand still.

Command  vasa-train --config=experiments/configs/face/small_128_sharp.py --workdir=runs/face_small_128_sharp
Start    the averaged parameters of runs/face_small_128_detail (step 1,000)
Run      900 steps, 32 minutes of two cores shared with motion/small
Result   the mask "keep" lets go of mouth and lids only, where it had blended a blurred face over the whole head; blinks
         13 of 14 (known speakers) and 9 of 10 (never seen); but the mouth's error rose, 0.73 and 0.86 of repeating the
         first frame after 0.67 and 0.76: half of the data are drawn heads (training_small.json)

The discriminator as in the paper had never learned anything here: its hinge loss stood at 2.0, chance, in every run.
Instance norm hides how strong fine structure is against coarse, and that is all that blur changes. With layer norm and
the fine structure as a second input (`detail`) it tells blurred from sharp images after tens of steps
(models/discriminator.py), and the loss of this run's discriminator fell to 1.5-1.6.
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
    config.loss_start.adversarial = 150
    config.loss.adversarial = 0.1
    config.optimizer.lr = 5e-4
    config.optimizer.warmup_steps = 50
    return config
