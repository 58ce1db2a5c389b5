"""Face latent model at 256 px for CPUs: at most 6 GFLOP a decoded frame.

Command  vasa-train --config=experiments/configs/face/lite_256.py --workdir=runs/face_lite_256
Data     GRID and procedural heads stored at 320 px. GRID's own faces have about 130 px: it teaches motion, not detail
Speed    experiments/results/decode_benchmark.json

The modules of vasa_512, small. What differs, and why:
* 5.9 GFLOP a frame (`--dry_run` counts them), 0.8 of them for the warp generator, the rest for G2D; 4.7 to encode.
* The volume is 16x8x32x32 instead of 96x16x64x64: a gather costs a CPU about what a convolution of the same bytes does.
* G2D works at 32x32, 64x64 and 128x128 cells; the last doubling is a shuffle of 2x2 pixels out of channels
  (`last_patch`), because full resolution alone would cost as much as all the rest.
* a moving, refined generator as in small_128: the detail of the portrait is moved, not painted, which is
  what lets so few operations show a person's own skin and hair at 256 px. The paper has no such path.
* z_dyn has 64 numbers: between small_128's 32 and the paper's 128, as is the generator.
* Towers of small_128's kind instead of ResNet-18 and -50, whose 13.8 GFLOP would cost more than decoding.
* float32: XLA:CPU emulates bfloat16 convolutions.
* Losses, labels and augmentation as in small_128, because the data are.
"""

import ml_collections

from experiments.configs.face import small_128


def get_model() -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(
        {
            "size": 256,
            "face_size": 96,
            "depth_extent": 0.6,
            "offset_reach": 0.5,
            "padding": "border",
            "appearance": {"stem": 48, "widths": (64, 96), "volume": (8, 16), "blocks_3d": 2, "patch": 4},
            "identity": {"size": 128, "widths": (32, 64, 96), "features": 96, "blocks": 1},
            "pose": {"size": 64, "widths": (16, 32, 64), "blocks": 1},
            "dynamics": {"features": 64, "widths": (32, 64, 96, 96), "blocks": 1},
            "warp": {"widths": (64, 48, 32, 16), "depth": 8, "features": 96},
            "canonical": {"widths": (32,)},
            "generator": {
                "kind": "moving",
                "base": 128,
                "blocks": 3,
                "widths": (64, 32),
                "last_patch": 2,
                "refine": True,
            },
        }
    )


def get_config() -> ml_collections.ConfigDict:
    config = small_128.get_config()
    config.steps = 20_000
    config.checkpoint_every = 1000
    config.eval_every = 1000
    config.data.size = 320
    config.model = get_model()
    config.discriminator = {
        "enabled": True,
        "widths": (32, 64, 96),
        "scales": 2,
        "patch": 2,
        "detail": 6.0,
        "norm": "layer",
    }
    config.loss_start.adversarial = 8000
    config.loss_focus = {"mouth": 14.0, "eyes": 12.0, "closed": 2.0}
    return config
