"""The generator of portrait_256 alone, from stored inputs; draft."""

import ml_collections

from experiments.configs.face import portrait_256


def get_config() -> ml_collections.ConfigDict:
    config = portrait_256.get_config()
    config.task = "generator"
    config.steps = 4000
    config.batch_size = 8
    config.data = ml_collections.ConfigDict({"dir": "data/generator", "kind": "generator", "eval_batches": 10})
    config.loss = ml_collections.ConfigDict({"pixel": 8.0, "feature": 4.0, "painted": 4.0, "coarse": 8.0, "flow": 20.0})
    config.eval_every = 500
    config.checkpoint_every = 250
    config.log_every = 25
    return config
