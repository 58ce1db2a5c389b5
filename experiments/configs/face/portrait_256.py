"""Face model of 256 px that paints only the face; draft."""

import ml_collections

from experiments.configs.face import lite_256, small_128


def get_model() -> ml_collections.ConfigDict:
    model = lite_256.get_model()
    small = small_128.get_model()
    model.dynamics, model.pose, model.face_size, model.pose_share = small.dynamics, small.pose, small.face_size, True
    model.generator = ml_collections.ConfigDict(
        {"kind": "aligned", "base": 64, "blocks": 2, "widths": (96, 48), "cells": 32, "detail": 2, "last_patch": 2}
    )
    return model


def get_config() -> ml_collections.ConfigDict:
    config = lite_256.get_config()
    config.model = get_model()
    config.seed = 1
    config.steps = 6000
    config.batch_size = 8
    config.init_from = "/work/scratch/lead/start.safetensors"
    config.frozen = "^model/(?!generator)"
    config.transfer_every = 0
    config.stills = {"mouth": 0.9, "eyes": 0.3}
    config.data.mixture = ml_collections.ConfigDict({"grid": 0.35, "portraits": 0.5, "procedural_heads": 0.15})
    config.data.threads = 2
    config.data.eval_batches = 4
    config.data.engine = "threads"
    config.discriminator.enabled = False
    config.augment.update({"colour": 0.1, "grey": 0.06, "contrast": 0.2, "warp": 0.045})
    config.loss_focus = {"mouth": 20.0, "eyes": 14.0, "closed": 2.5}
    config.loss.update({"pixel": 8.0, "painted": 4.0})
    config.optimizer.update({"lr": 1e-3, "warmup_steps": 50})
    config.ema_decay = 0.995
    config.eval_every = 500
    config.checkpoint_every = 250
    config.log_every = 25
    return config
