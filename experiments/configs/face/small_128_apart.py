"""After small_128_twins: warps and generator learn to draw from the codes that came apart.

Command  vasa-train --config=experiments/configs/face/small_128_apart.py --workdir=runs/face_small_128_apart
Start    the averaged parameters of runs/face_small_128_twins (step 800), the discriminator of
         runs/face_small_128_settle; the encoders of motion stand still
Run      700 steps, 37 minutes of two cores that had other work
Result   mouths and heads obey the codes more (experiments/results/small_128_steps.json), but on people never seen the
         likeness falls to 0.91 (0.93 before) and the mouths of drawn people turn green: small_128_hue and _gloss mend
         that. A first version (300 steps, a fresh discriminator, colour 0.15) was as green and had softer lips
"""

import ml_collections

from experiments.configs.face import small_128_settle


def get_config() -> ml_collections.ConfigDict:
    config = small_128_settle.get_config()
    config.seed = 6
    config.steps = 700
    config.checkpoint_every = 100
    config.eval_every = 350
    config.init_from = "runs/face_small_128_twins,runs/face_small_128_settle"
    config.frozen = "dynamics_encoder|pose_encoder|label_head|pose_share"
    config.model.pose_share = True
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.6, "procedural_heads": 0.4})
    config.transfer_every = 3
    config.contrast.pairs = "all"
    config.augment.colour = 0.08
    config.augment.grey = 0.08
    config.loss.update({"consist": 3.0, "contrast": 0.5})
    config.optimizer.lr = 4e-4
    return config
