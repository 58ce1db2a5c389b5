"""Face latent model at the paper's size: 512 px. Not trained here: it needs accelerators.

Command  vasa-train --config=experiments/configs/face/vasa_512.py --workdir=runs/face_vasa_512
Data     clips of at least 512 px, prepared with --size=vasa_512
Size     see `vasa-train --config=... --dry_run`; memory and step time on TPUs: docs/speed.md

Sources: VASA-1 (2024) gives 512 px and "about 200M parameters" and refers to MegaPortraits (2022) for the rest; what
neither says follows EMOPortraits (2024) and its code. Parameters in millions, ours beside what those sources add up to:

  part                    ours    theirs        why they differ
  E_app                   10.0    8.6 or 10.0   3x3 skips, as the figure of MegaPortraits draws them
  G3D                     72.8    57.8 or 72.8  the same
  warp generators (each)  10.3    9.0 or 13.5   1x1 skips; ours holds the reading of z_dyn (1.06) and of
                                                z_dyn + z_id (0.26) that theirs keeps outside; without them 9.0
  G2D                     41.0    41.0 or 42.4  1x1 skips
  identity encoder        24.5    24.5          ResNet-50 and a 1x1 convolution to 512 channels on 4x4
  pose encoder            11.3    11.2          ResNet-18, a head that keeps places
  dynamics encoder        11.5    11.2          ResNet-18, a head to 128 numbers
  all                    192.0    177 to 215

Where the sources leave a choice:
* Skips are 3x3 (the figure) in what runs once a portrait and 1x1 (the code of the same author) in what runs each frame:
  near the paper's 200M, and a decoded frame stays at 534 GFLOP.
* 8 blocks in G2D (the text; the figure can be read as 16), 6 in E_app's volume (the figure; the code has 3).
* z_dyn has 128 numbers as in EMOPortraits: 18 components hold 99% of MegaPortraits' 512, and 512 leaked identity.
* z_pose has 7 numbers: 3 rotations, 3 translations, 1 scale.
* Weight standardisation in the residual blocks as in MegaPortraits. Spectral norm in the discriminator only: over
  standardised weights it says the same twice (`block.spectral` switches it on).
* Group norm has groups of at least four channels (24 groups at 96 channels, 16 at 64): two or three are too few to
  estimate a spread from.
* The volume reaches 0.6 of the crop's half width in depth, as deep as heads are, instead of 1.
* Each warp resamples once (models/face_latent.py) instead of twice in sequence.
* G3D's last convolution adds to the volume: the net starts near "change nothing".
* No dropout of the dynamics code (EMOPortraits 0.2); its distortion and noise of the driver do that work (`augment`).
* Encoders start from random numbers, not from ImageNet; the known pose and labels of the data train them first.

bfloat16 on accelerators; the backward pass computes every residual block again (`block.remat`), and `accumulate` splits
a batch where a chip holds fewer items than the optimiser should see. Learning rate, its fall, betas and batch 16 are
MegaPortraits', weights and starts of the losses those of configs/face_losses.py. The discriminator starts at step
20,000: GANs of such models were seen to diverge near 30,000 when on from the start.
"""

import ml_collections

from experiments.configs import face_losses
from experiments.configs.face import small_128

STEPS = 300_000


def get_model() -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict(
        {
            "size": 512,
            "face_size": 128,
            "depth_extent": 0.6,
            "offset_reach": 1.0,
            "padding": "zeros",
            "dtype": "bfloat16",
            "block": {"remat": "blocks", "spectral": False, "standardise": True},
            "appearance": {"stem": 64, "widths": (128, 256, 512), "volume": (16, 96), "blocks_3d": 6, "skip_size": 3},
            "identity": {"size": 256, "resnet": 50, "features": 512},
            "pose": {"size": 128, "resnet": 18},
            "dynamics": {"features": 128, "resnet": 18},
            "warp": {"widths": (512, 256, 128, 64, 32), "depth": 16, "features": 512},
            "canonical": {"widths": (192, 384), "middle": (512, 512), "depths": (32, 16), "skip_size": 3},
            "generator": {
                "base": 512,
                "blocks": 8,
                "widths": (256, 128, 64),
                "last_patch": 1,
            },
        }
    )


def get_config() -> ml_collections.ConfigDict:
    config = small_128.get_config()
    config.steps = STEPS
    config.batch_size = 16
    config.checkpoint_every = 2000
    config.log_every = 50
    config.eval_every = 5000
    config.ema_decay = 0.9995
    config.mesh = {"data": -1, "fsdp": 1, "tensor": 1}
    config.data.mixture = ml_collections.ConfigDict({"celebv_hq": 1.0})
    config.data.size = 640
    config.model = get_model()
    config.transfer_every = 2
    config.discriminator = {
        "enabled": True,
        "widths": (64, 128, 256, 512),
        "scales": 2,
        "patch": 1,
        "norm": "instance",
        "spectral": True,
        "dtype": "bfloat16",
    }
    face_losses.paper_losses(config, warmup=10_000)
    for name in ("optimizer", "optimizer_discriminator"):
        config[name] = ml_collections.ConfigDict(
            {
                "lr": 2e-4,
                "warmup_steps": 2000,
                "schedule": "cosine",
                "end": 0.005,
                "b1": 0.5,
                "b2": 0.999,
                "weight_decay": 1e-2,
                "clip": 1.0,
            }
        )
    return config
