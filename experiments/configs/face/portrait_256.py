"""Face model of 256 px for anybody's portrait: paints only the face, in the portrait's own colours.

    vasa-prepare --stage=generator --face_config=experiments/configs/face/portrait_256.py \
        --checkpoint=runs/face_sharp_256 --input=data --output=data/generator --items=3600
    vasa-train --config=experiments/configs/face/portrait_256_generator.py --workdir=runs/face_portrait_256

This file says what the pairs are and what the model is; portrait_256_generator trains it. What differs from sharp_256:

* `generator.kind` "aligned" (vasa_jax/models/aligned_generator.py): the flow moves the portrait everywhere, a square
  that follows the head is painted. 1.5 GFLOP a frame beside 5.
* Colours are written in the portrait's own frame of mean and covariance (vasa_jax/ops/colour.py): a grey portrait
  cannot turn green.
* Photographs of 2,500 people (data set `portraits`), whose mouths and eyes are hidden in the source (`stills`).
* A fifth of them is driven by somebody else instead (`crossed`), for a discriminator alone (portrait_256_critic).
* All other networks are those of sharp_256, frozen; the codes are still those of small_128.
"""

import ml_collections

from experiments.configs.face import sharp_256


def get_config() -> ml_collections.ConfigDict:
    config = sharp_256.get_config()
    config.seed = 1
    config.init_from = "runs/face_sharp_256"
    config.frozen = "^model/(?!generator)"
    config.batch_size = 8
    config.model.generator = ml_collections.ConfigDict(
        {"kind": "aligned", "base": 64, "blocks": 2, "widths": (80, 48), "cells": 32, "detail": 1, "last_patch": 2}
    )
    config.discriminator.enabled = False
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.3, "portraits": 0.45, "rigged_heads": 0.25})
    config.data.threads = 2
    config.transfer_every = 0
    config.stills = {"mouth": 0.9, "eyes": 0.3}
    config.crossed = 0.2
    config.augment.colour = 0.1
    config.loss_focus = {"mouth": 20.0, "eyes": 14.0, "closed": 2.5}
    config.optimizer.warmup_steps = 50
    return config
