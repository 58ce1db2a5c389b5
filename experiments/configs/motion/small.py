"""Motion diffusion transformer for two CPU cores: the first part of the weights that the project ships.

Command  vasa-train --config=experiments/configs/motion/small.py --workdir=runs/motion_small
Data     motion of the small_128 face model (7 + 32 values a frame) over GRID and 400 drawn people of 60 frames;
         encoders of runs/face_small_128_detail at step 1,000
Hardware two cores shared with small_128_sharp: 1,000 steps in 31 minutes
Result   held-out windows: changes of the mouth 0.58 at step 500, 0.64 at step 1,000 (wrong audio 0.22); decoded and
         tracked: experiments/results/motion_grid.json. An earlier model of the same size, on the latents of an earlier
         face model: 0.60 and 0.67 (training_small.json); its sampling: experiments/results/motion_sampling.json

Emotion  its own run was without `neutral_is_rest`, on speakers whose neutral faces were all zeros

Silence is all zeros after the log-mel front end, where a layer norm's gradient is huge: the first step had a gradient
norm of 2.6e7 (clipped) until the front end's bias was drawn at random.
Speed    about 0.6 steps a second on two busy cores (batch 64)
Score    of the earlier model: correlation of changes of mouth opening with the real video, read from the motion, 20
         held-out sentences of s1: 0.72 at step 828 (ridge from log-mel 0.70, wrong audio 0.23);
         experiments/results/motion_sampling*.json
"""

import ml_collections

from experiments.configs.motion import vasa


def get_config() -> ml_collections.ConfigDict:
    config = vasa.get_config()
    config.steps = 1000
    config.batch_size = 64
    config.checkpoint_every = 500
    config.log_every = 20
    config.eval_every = 500
    config.ema_decay = 0.998
    config.data = {
        "dir": "data",
        "mixture": {"grid": 0.75, "procedural_heads": 0.25},
        "kind": "windows",
        "eval_batches": 4,
        "eval_split": "validation",
        "engine": "auto",
        "checksums": False,
        "max_damaged": 0.01,
        "reuse": 1,
    }
    config.data.tracks = config.model.get_ref("per_frame")
    config.model.update(
        {"motion_dim": 39, "width": 160, "depth": 4, "heads": 5, "layout": "B", "lookahead": 6, "dtype": "float32"}
    )
    config.loss["mouth"] = 1.0
    config.optimizer.update({"lr": 1e-3, "warmup_steps": 100})
    return config
