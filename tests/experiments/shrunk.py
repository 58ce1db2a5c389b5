"""Shipped configurations at a size of nothing: the same program, with layers, images and batches made small.

vasa-train --config=tests/experiments/shrunk.py:face/small_128 --workdir=D
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import ml_collections
import numpy as np

import experiments
from experiments.common import dry_run, shrinking
from vasa_jax import landmarks
from vasa_jax.ops.rotations import transform

CONFIGS = Path(experiments.__file__).parent / "configs"
BATCH = 16  # twice as many as the tests have devices


def shipped(name: str) -> ml_collections.ConfigDict:
    """The configuration of experiments/configs/NAME.py."""
    return importlib.import_module(f"experiments.configs.{name.replace('/', '.')}").get_config()


def names() -> list[str]:
    """Every shipped configuration that trains something, as FOLDER/NAME."""
    found = sorted(path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.glob("*/*.py"))
    return [name for name in found if "task" in shipped(name)]


def losses(name: str) -> int:
    """How many losses, of all players, a shipped configuration trains with."""
    config = shipped(name)
    discriminator = config.get("discriminator", {}).get("enabled", False) + (
        config.get("r1", {}).get("weight", 0.0) > 0
    )
    return sum(bool(weight) for weight in config.get("loss", {}).values()) + discriminator


def get_config(text: str) -> ml_collections.ConfigDict:
    """A shipped configuration, shrunk; two steps, and everything that a run does at its end.

    `text` is its name and, after commas, fields to set: "pose/small,accumulate=2". (Overrides on the command line are
    absl flags of their own, which a process has once, and the tests train many times in one.)
    """
    name, *fields = text.split(",")
    config = shipped(name)
    shrinking.shrink(config)
    config.update({"steps": 2, "batch_size": BATCH, "log_every": 1})
    config.update({"eval_every": 0, "checkpoint_every": 0, "tensorboard": False, "init_from": ""})
    config.data.eval_batches = 1
    for field, _, value in (field.partition("=") for field in fields):
        config[field] = int(value) if value.isdigit() else value
    return config


class Stream:
    """In place of `ClipStream`: batches drawn from their number, labels in the range of real ones.

    Every batch holds items of all data sets of the mixture, in turn.
    """

    damaged: ClassVar[dict[str, list[int]]] = {}

    def __init__(self, config: Any, split: str, process: int | None = None):
        self.example = dry_run.example_batch(config)
        self.domains = len(config.data.get("mixture", {"one": 1}))

    def batch(self, step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([11, step])
        example = self.example
        made = {name: 0.3 * rng.random(x.shape).astype(x.dtype) for name, x in example.items() if x.dtype == np.float32}
        made |= {name: x for name, x in example.items() if name not in made}
        made["domain"] = made["index"] % self.domains
        for name in ("source", "driver", "other"):
            if name in example:
                made |= _face(rng, name, example[name].shape)
        if "volume" in example:  # stored inputs: whole numbers are pixels, and a head has a size
            pixels = {name: x for name, x in example.items() if x.dtype == np.uint8}
            made |= {name: rng.integers(0, 255, x.shape, dtype=np.uint8) for name, x in pixels.items()}
            made["pose"][:, 6] += 0.8
        return made

    def iterate(self, start: int) -> Iterator[dict[str, np.ndarray]]:
        while True:
            yield self.batch(start)
            start += 1


def _face(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Pictures, and poses with the template's points in them."""
    count = shape[0]
    pose = np.concatenate([rng.uniform(-0.2, 0.2, (count, 6)), rng.uniform(0.9, 1.1, (count, 1))], -1)
    points = transform(pose.astype(np.float32), np.tile(landmarks.template(), (count, 1, 1)))
    return {
        name: rng.integers(0, 255, shape, dtype=np.uint8),
        f"{name}_pose": pose.astype(np.float32),
        f"{name}_landmarks": np.asarray(points, np.float32),
    }
