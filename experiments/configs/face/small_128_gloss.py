"""Last part of the bundled face model: after small_128_hue, all that draws, with critic and features, true colours.

Command  vasa-train --config=experiments/configs/face/small_128_gloss.py --workdir=runs/face_small_128_gloss
Start    the averaged parameters of runs/face_small_128_hue (step 150), the critic of runs/face_small_128_apart
Run      260 steps, 12 minutes of two cores that had other work
Result   the mean of these parameters and those of runs/face_small_128_twins is what is bundled:
         vasa-export --face=runs/face_small_128_twins,runs/face_small_128_gloss
         The mean keeps the likeness of the one (GRID unseen: 0.93, 0.91 by this run alone) and the mouths of the other
         (error 0.75 of repeating the first frame, 0.78 alone): experiments/results/face_grid.json, face_suite.json
"""

import ml_collections

from experiments.configs.face import small_128_apart


def get_config() -> ml_collections.ConfigDict:
    config = small_128_apart.get_config()
    config.seed = 10
    config.steps = 260
    config.checkpoint_every = 130
    config.eval_every = 130
    config.init_from = "runs/face_small_128_hue,runs/face_small_128_apart"
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.5, "procedural_heads": 0.5})
    config.transfer_every = 4
    config.augment.colour = 0.0
    config.augment.grey = 0.03
    config.loss.update({"painted": 4.0, "feature": 2.0, "adversarial": 0.03})
    config.optimizer.lr = 3e-4
    config.optimizer.warmup_steps = 20
    config.ema_decay = 0.985
    return config
