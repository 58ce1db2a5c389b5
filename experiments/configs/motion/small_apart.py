"""The bundled motion model: motion/small goes on, with the codes that came apart and more drawn people.

Command  vasa-train --config=experiments/configs/motion/small_apart.py --workdir=runs/motion_small_apart
Data     motion of the small_128_twins encoders, which all later parts share:
         vasa-prepare --stage=latents --checkpoint=runs/face_small_128_twins --output=data/latents ... (GRID, heads)
Start    runs/motion_small (old codes), carried over by 350 steps with lr 4e-4 of the same command
Run      1,600 steps, 85 minutes of a share of two cores
Result   held-out windows: changes of the mouth 0.69, 0.73, 0.75, 0.75 at steps 400, 800, 1,200, 1,600 (0.67 at the
         start, 0.64 of motion/small on its codes; wrong audio 0.21); decoded and tracked:
         experiments/results/motion_grid.json; these numbers: small_128_steps.json
Seeds    2 and 3 from the same start: 0.753 and 0.749 after 1,600 steps, decoded 0.626 and 0.642 (seed 1: 0.650);
         experiments/results/motion_seeds.json
"""

import ml_collections

from experiments.configs.motion import small


def get_config() -> ml_collections.ConfigDict:
    config = small.get_config()
    config.seed = 1
    config.steps = 1600
    config.checkpoint_every = 200
    config.eval_every = 400
    config.ema_decay = 0.995
    config.init_from = "runs/motion_small"
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.65, "procedural_heads": 0.35})
    config.optimizer.update({"lr": 8e-4, "warmup_steps": 50})
    return config
