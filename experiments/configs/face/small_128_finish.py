"""Second part of the bundled weights: encoders of motion stand still, warps and generator go on.

Command  vasa-train --config=experiments/configs/face/small_128_finish.py --workdir=runs/face_small_128_finish
Start    the averaged parameters of runs/face_small_128 (step 1,653)
Run      stopped at step 1,389 (learning rate planned for 1,500), 50 minutes on two cores shared with stage 2. The
         steps 461-651 had colour 0.35, the steps before them the augmentation of small_128; colour mixing that strong
         painted mouths green and was taken back
Result   of what shrinking keeps, 0.84 (known speakers) and 0.87 (unseen) of the changes of the mouth; identity within
         0.02 of the real frames; blinks on s1 only (6 of 8; others 0 of 16): training_small.json

The lids of unfamiliar faces close by about half. The code knows the blink (it reads 0.9-1.1 on closed eyes of
held-out s1 frames), the image does not follow: at 32x32 cells a lid is one cell of the warp, so it has to be
painted, and the paint is learned per face. 160 more steps with eyes weighing 40 changed nothing measurable;
small_128_detail does.

Once pose and dynamics encoders are frozen their latents are final, so stage 2 can train on them while the images
still improve: the two runs shared the two cores. Mouth and eyes weigh more, people differ more in shape and more of
them are grey (statues, drawings).
"""

import ml_collections

from experiments.configs.face import small_128


def get_config() -> ml_collections.ConfigDict:
    config = small_128.get_config()
    config.seed = 1
    config.steps = 1500
    config.checkpoint_every = 300
    config.init_from = "runs/face_small_128"
    config.frozen = "dynamics_encoder|pose_encoder|label_head"
    config.loss_focus = {"mouth": 16.0, "eyes": 10.0, "closed": 0.0}
    config.augment.warp = 0.045
    config.augment.colour = 0.15
    config.augment.grey = 0.15
    config.optimizer.warmup_steps = 50
    return config
