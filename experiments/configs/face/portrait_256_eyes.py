"""Everybody's eyes turn and close, and drawn heads turn: the generator of portrait_256_critic goes on.

    vasa-export --face=runs/face_portrait_256_critic --motion=bundled --gaze=data/latents/grid.npz --output=runs/gaze
    vasa-prepare --stage=generator --face_config=experiments/configs/face/portrait_256_eyes.py \
        --checkpoint=runs/gaze --input=data --output=data/generator_eyes --items=1920
    vasa-train --config=experiments/configs/face/portrait_256_eyes.py --workdir=runs/face_portrait_256_eyes

Start    runs/gaze, whose codes have room for the gaze; the critic is that of portrait_256_critic
Pairs    photographs whose irises and lids are moved in the target (vasa_jax/training/moved_eyes.py): the code says so
         where it was unused, and along the course of GRID's blinks; rigged and procedural heads, whose gaze is known
"""

import ml_collections

from experiments.configs.face import portrait_256_critic


def get_config() -> ml_collections.ConfigDict:
    config = portrait_256_critic.get_config()
    config.init_from = "runs/gaze,runs/face_portrait_256_critic"
    config.data.dir = "data/generator_eyes"
    config.data.mixture = ml_collections.ConfigDict({"portraits": 0.5, "rigged_heads": 0.25, "procedural_heads": 0.25})
    config.stills = {"mouth": 0.9, "eyes": 0.15, "gaze": 0.6, "lids": 0.45}
    config.crossed = 0.0
    config.steps = 2200
    config.optimizer.lr = 5e-4
    return config
