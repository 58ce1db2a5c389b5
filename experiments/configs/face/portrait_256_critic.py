"""A discriminator for the mouths and eyes of portrait_256: what is made up inside of them looks like one.

Command  vasa-train --config=experiments/configs/face/portrait_256_critic.py --workdir=runs/face_portrait_256_critic
Start    the averaged parameters of runs/face_portrait_256
Data     as portrait_256_generator, and 461 stills driven by somebody else (`crossed`), which only the discriminator
         judges
Hardware two shared cores; 1.3 s a step beside other work
Run      3,416 steps of 4,000; loss.adversarial 0.1 up to step 1,583, then 0.25; loss_focus.mouth 30
Result   experiments/results/portrait_256_training.json: the error in the mouth stays (0.051), what shows in it
         becomes a mouth: lips have edges, smiles have teeth. talking_portraits_critic.json: 24 strangers.
"""

import ml_collections

from experiments.configs.face import portrait_256_generator


def get_config() -> ml_collections.ConfigDict:
    config = portrait_256_generator.get_config()
    config.init_from = "runs/face_portrait_256"
    config.discriminator = {
        "enabled": True,
        "widths": (32, 64, 96),
        "scales": 2,
        "patch": 2,
        "detail": 6.0,
        "norm": "layer",
    }
    config.loss.adversarial = 0.25
    config.loss_focus.mouth = 30.0
    config.steps = 4000
    config.optimizer_discriminator.lr = 5e-4
    config.optimizer.warmup_steps = 50
    return config
