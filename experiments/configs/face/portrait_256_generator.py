"""The generator of portrait_256 from stored inputs: a step is the generator's own, 1.3 core-seconds instead of 4.5.

Command  vasa-train --config=experiments/configs/face/portrait_256_generator.py --workdir=runs/face_portrait_256
Start    every network but the generator from sharp_256; the generator from random numbers
Data     data/generator, see portrait_256: 3,600 pairs of GRID and photographs; from step 1,689 on, 720 pairs of rigged
         heads twice beside them, and loss_focus.mouth 30
Hardware two shared cores that had much other work; 1.3 core-seconds a step
Run      3,492 steps
Result   experiments/results/portrait_256_training.json: at step 3,000 the error in the mouth is 0.051, where repeating
         the source has 0.094 and moving it 0.064. On strangers nothing is green and everybody stays as they are; mouths
         open, and what shows inside of them is a blur: portrait_256_critic goes on from here
"""

import ml_collections

from experiments.configs.face import portrait_256


def get_config() -> ml_collections.ConfigDict:
    config = portrait_256.get_config()
    config.task = "generator"
    config.steps = 3500
    config.checkpoint_every = 250
    config.eval_every = 500
    config.log_every = 25
    config.ema_decay = 0.995
    config.data = ml_collections.ConfigDict({"dir": "data/generator", "kind": "generator", "eval_batches": 10})
    config.loss = ml_collections.ConfigDict({"pixel": 8.0, "feature": 4.0, "painted": 4.0, "coarse": 8.0, "flow": 20.0})
    return config
