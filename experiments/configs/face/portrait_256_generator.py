"""The generator of portrait_256 from stored inputs: a step is the generator's own, 0.5 s on two cores instead of 2.3.

Command  vasa-train --config=experiments/configs/face/portrait_256_generator.py --workdir=runs/face_portrait_256
Start    every network but the generator from sharp_256; the generator from random numbers
Data     data/generator, see portrait_256
"""

import ml_collections

from experiments.configs.face import portrait_256


def get_config() -> ml_collections.ConfigDict:
    config = portrait_256.get_config()
    config.task = "generator"
    config.steps = 2900
    config.checkpoint_every = 250
    config.eval_every = 500
    config.log_every = 25
    config.ema_decay = 0.995
    config.data = ml_collections.ConfigDict({"dir": "data/generator", "kind": "generator", "eval_batches": 10})
    config.loss = ml_collections.ConfigDict({"pixel": 8.0, "feature": 4.0, "painted": 4.0, "coarse": 8.0, "flow": 20.0})
    return config
