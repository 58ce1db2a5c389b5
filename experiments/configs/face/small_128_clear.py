"""Last part of the bundled face model: the generator alone, from the mean of two models.

Command  vasa-train --config=experiments/configs/face/small_128_clear.py --workdir=runs/face_small_128_clear
Start    the mean of the parameters before and after small_128_apart, _hue and _gloss, and the discriminator of the
         last: vasa-export --face=runs/face_small_128_twins,runs/face_small_128_gloss --output=runs/face_small_128_mean
Run      220 steps, 11 minutes of two cores that had other work
Result   better than all before it, on people never seen too: the mouth's error 0.71 of repeating the first frame
         (small_128_settle 0.76, small_128_gloss 0.78, their mean 0.75), 0.94 of the changes of the mouth kept (0.85),
         likeness 0.93, blinks 10 of 10; no green in painted mouths (red less green off by +2.4 of 255).
         experiments/results/small_128_steps.json, face_grid.json, face_suite.json
"""

import ml_collections

from experiments.configs.face import small_128_gloss


def get_config() -> ml_collections.ConfigDict:
    config = small_128_gloss.get_config()
    config.seed = 11
    config.steps = 220
    config.checkpoint_every = 110
    config.eval_every = 110
    config.init_from = "runs/face_small_128_mean,runs/face_small_128_gloss"
    config.frozen = "^model/(?!generator)"
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.6, "procedural_heads": 0.4})
    config.transfer_every = 1000  # none
    config.augment.grey = 0.0
    config.loss.update({"painted": 6.0, "consist": 0.0, "cross_id": 0.0, "contrast": 0.0, "identity": 0.0})
    return config
