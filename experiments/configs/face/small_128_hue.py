"""After small_128_apart: the generator alone learns the colours of what it paints, from pixels alone.

Command  vasa-train --config=experiments/configs/face/small_128_hue.py --workdir=runs/face_small_128_hue
Start    the averaged parameters of runs/face_small_128_apart (step 700)
Run      150 steps, 4 minutes of two cores
Result   mouths of drawn people are red and dark instead of green. Red less green around 64 wide-open mouths of 16
         people never seen is off by -2.9 levels of 255 before and +0.9 after (small_128_settle: +0.7), by 14.6 and
         12.4 (13.0) without its sign; the eyes' error rises by 6 %, since nothing sharpens them

What made mouths green was measured by leaving it out: with colour mixing at 0.08 in place of 0.15, and the
discriminator kept, 350 and 700 steps of small_128_apart stayed as green as 300 steps of its first version. Without
colour mixing, features and discriminator, it is gone after 150 steps; with features and discriminator back
(small_128_gloss), and without colour mixing, it stays away.
Numbers  experiments/results/small_128_steps.json
"""

import ml_collections

from experiments.configs.face import small_128_apart


def get_config() -> ml_collections.ConfigDict:
    config = small_128_apart.get_config()
    config.seed = 9
    config.steps = 150
    config.checkpoint_every = 150
    config.eval_every = 150
    config.init_from = "runs/face_small_128_apart"
    config.frozen = "^model/(?!generator)"
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.5, "procedural_heads": 0.5})
    config.transfer_every = 1000  # none
    config.discriminator.enabled = False
    config.augment.colour = 0.0
    config.augment.grey = 0.0
    for name in ("feature", "matching", "adversarial", "consist", "cross_id", "contrast", "identity"):
        config.loss[name] = 0.0
    config.loss.painted = 8.0
    config.optimizer.lr = 5e-4
    config.optimizer.warmup_steps = 10
    config.ema_decay = 0.97
    return config
