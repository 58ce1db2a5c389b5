"""After small_128_hue: all that draws learns on, with discriminator and features again, and true colours.

Command  vasa-train --config=experiments/configs/face/small_128_gloss.py --workdir=runs/face_small_128_gloss
Start    the averaged parameters of runs/face_small_128_hue (step 150), the discriminator of runs/face_small_128_apart
Run      260 steps, 18 minutes of two cores that had other work
Result   mouths of drawn people follow with r = 0.92 (0.80 of small_128_settle) and keep their colour; people never seen
         lose likeness (0.91, 0.93 before). The mean with small_128_twins has it back: small_128_clear starts there
Numbers  experiments/results/small_128_steps.json
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
