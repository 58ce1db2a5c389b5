"""Third part of the bundled weights: finer lids and lips, more people, smiles that show teeth.

Command  vasa-train --config=experiments/configs/face/small_128_detail.py --workdir=runs/face_small_128_detail
"""

import ml_collections

from experiments.configs.face import small_128_finish


def get_config() -> ml_collections.ConfigDict:
    config = small_128_finish.get_config()
    config.seed = 2
    config.steps = 1000
    config.checkpoint_every = 200
    config.eval_every = 500
    config.init_from = "runs/face_small_128_finish"
    config.frozen = ""
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.5, "procedural_heads": 0.5})
    config.model.generator.refine = True
    config.loss_focus = {"mouth": 14.0, "eyes": 12.0, "closed": 2.0}
    config.augment.contrast = 0.3
    config.optimizer.lr = 7e-4
    config.optimizer.warmup_steps = 100
    return config
