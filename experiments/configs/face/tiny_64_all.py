"""tiny_64 with every loss of the paper's recipe on: the run that shows whether they are stable together.

Command  vasa-train --config=experiments/configs/face/tiny_64_all.py --workdir=runs/face_tiny_64_all
Data     procedural heads stored at 80 px (python -m data_pipelines.synthetic --config=tiny_64)
Result   experiments/results/stability.json (300 of 2,000 steps so far; the discriminator stayed at chance)

Weights as in the papers (configs/face_losses.py), our own features, spectral norm and R1 for the discriminator. Not a
recipe for good faces at this size: the discriminator's weights are those of models a hundred times larger.
"""

import ml_collections

from experiments.configs import face_losses
from experiments.configs.face import tiny_64


def get_config() -> ml_collections.ConfigDict:
    config = tiny_64.get_config()
    config.steps = 2000
    config.checkpoint_every = 100
    config.eval_every = 1000
    config.log_every = 1
    config.transfer_every = 4
    face_losses.paper_losses(config, warmup=50)
    config.discriminator.spectral = True
    # Far above what is usual (2 to 10): most steps of the discriminator are clipped. What the reported run had.
    config.r1 = ml_collections.ConfigDict({"weight": 64.0, "every": 16})
    return config
