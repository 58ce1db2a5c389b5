"""Motion diffusion transformer at the size of the paper: 8 layers, width 512, 8 heads.

Command  vasa-train --config=experiments/configs/motion/vasa.py --workdir=runs/motion_vasa
Data     motion of a vasa_512 or vasa_256 face model (7 + 128 values a frame) over thousands of hours;
         `data.mixture` is a placeholder: name your own data sets (docs/own_videos.md)
Size     30.2 M parameters (paper: about 29 M): 25.2 M in the layers, 4.0 M in the audio encoder, 1.0 M around them
Tracks   --config.model.per_frame=true tells every frame its gaze, distance and emotion
Status   not trained here: shapes and parameters are tested, the numbers of small.py are measured
"""

import ml_collections

from experiments.configs import watching
from vasa_jax import conditions


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.task = "motion"
    config.seed = 0
    config.steps = 300_000
    config.batch_size = 256
    config.checkpoint_every = 2000
    config.keep = 3
    config.log_every = 50
    watching.add(config)
    config.eval_every = 2000
    config.parallel = "mesh"
    config.mesh = {"data": -1, "fsdp": 1, "tensor": 1}
    config.ema_decay = 0.9999
    config.init_from = ""
    config.speech_model = ""
    config.data = {
        "dir": "data",
        "mixture": {"clips": 1.0},
        "kind": "windows",
        "eval_batches": 16,
        "eval_split": "validation",
        "engine": "auto",
        "checksums": False,
        "max_damaged": 0.01,
        "reuse": 1,
    }
    config.model = {
        "motion_dim": 135,
        "width": 512,
        "depth": 8,
        "heads": 8,
        "mlp_ratio": 4.0,
        "layout": "A",
        "positions": "learned",
        "window": 50,
        "context": 10,
        "lookahead": 5,
        "speech": "mel",
        "speech_width": 768,
        "speech_layers": 12,
        "speech_layer": -1,
        "audio_encoder": "conv",
        "bands": 40,
        "audio_blocks": 3,
        "audio_kernel": 5,
        "diffusion_steps": 1000,
        "dtype": "bfloat16",
        "neutral_is_rest": True,
        "per_frame": False,
        "conditions": conditions.PAPER,
        "remat": "",
    }
    config.data.tracks = config.model.get_ref("per_frame")  # one field by two names
    config.loss = {"previous_noise": 0.1}
    config.optimizer = {
        "lr": 1e-4,
        "warmup_steps": 5000,
        "schedule": "cosine",
        "b1": 0.9,
        "b2": 0.99,
        "weight_decay": 1e-2,
        "clip": 1.0,
    }
    return config
