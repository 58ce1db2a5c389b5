"""tiny_64 with the transfer losses turned up: one arm of the ablation; the other has them at 0.

Command  vasa-train --config=experiments/configs/face/tiny_64_transfer.py --config.seed=N --workdir=runs/transfer_N
         and the same with --config.loss.consist=0 --config.loss.cross_id=0 --config.loss.contrast=0
Data     procedural heads stored at 80 px (python -m data_pipelines.synthetic --config=tiny_64)
"""

import ml_collections

from experiments.configs.face import tiny_64


def get_config() -> ml_collections.ConfigDict:
    config = tiny_64.get_config()
    config.steps = 500
    config.checkpoint_every = 250
    config.eval_every = 500
    config.transfer_every = 4
    config.discriminator.enabled = False
    config.contrast.pairs = "all"
    config.loss.update({"consist": 2.0, "cross_id": 0.5, "contrast": 0.5})
    return config
