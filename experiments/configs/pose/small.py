"""The pose encoder of small_128 alone, on exact and tracked head poses.

Command  vasa-train --config=experiments/configs/pose/small.py --workdir=runs/pose_small
Data     procedural heads (exact) and GRID (MediaPipe's landmarks fitted to the template), stored at 160 px
Run      an hour of two cores that had other work
Result   experiments/results/pose_encoder.json, held-out frames, mean over the angles: 1.75 degrees on procedural
         heads, where guessing the mean pose has 7.06, and 0.62 on GRID against the tracker (2.36)
Use      config.init_from=runs/pose_small and config.frozen=pose_encoder in a face run

Heads turn little on GRID (yaw 3 degrees about a speaker's mean), much on procedural heads: both are needed.
The crop moves, rolls and zooms far more than it does for the face model, because exact labels follow it for nothing.
"""

import ml_collections

from experiments.configs.face import small_128


def get_config() -> ml_collections.ConfigDict:
    face = small_128.get_config()
    config = ml_collections.ConfigDict()
    for name in ("seed", "parallel", "mesh", "init_from", "frozen", "optimizer", "guard", "watchdog", "profile"):
        config[name] = face[name]
    config.task = "pose"
    config.steps = 1400
    config.batch_size = 32
    config.checkpoint_every = 250
    config.keep, config.keep_every, config.keep_best = 2, 0, ""
    config.log_every = 20
    config.eval_every = 250
    config.ema_decay = 0.995
    config.data = face.data
    config.data.mixture = ml_collections.ConfigDict({"procedural_heads": 0.7, "grid": 0.3})
    config.data.eval_batches = 8
    config.model = {"size": face.model.size, "pose": face.model.pose}
    config.augment = face.augment
    config.augment.update({"warp": 0.01, "contrast": 0.3, "zoom": 0.12, "roll": 0.2, "shift": 0.08})
    return config
