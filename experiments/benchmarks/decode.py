"""Suite `decode`: how fast the face model encodes a portrait and decodes frames, and what share of the machine that is.

    python -m experiments.benchmark --suite=decode --configs=small_128,lite_256 --batches=1,4 --report=decode.json

  matmul     the machine's peak, measured in the same run and in turns with everything else: the product of two square
             matrices in the same type by XLA and, on a CPU, by numpy's BLAS; the faster of the two counts
  encode     one portrait; decode: frames of one portrait, in batches
  train      on an accelerator, the whole train step at --batch_size

Operations are those that the model asks for (vasa_jax/training/flops.py), whatever form a backend computes them in, and
a share is operations a second beside the peak's of the same round. small_128 has the bundled weights; the others have
random ones, which cost the same.
"""

import functools
import importlib
import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from experiments.common import dry_run, timing
from vasa_jax.errors import InputError

CONFIGS = ["small_128", "lite_256"]
BUNDLED = "small_128"
_SIDE = {"cpu": 2048, "gpu": 8192, "tpu": 8192}  # of the matrices
_REPEAT = {"cpu": 1, "gpu": 10, "tpu": 10}  # decodes of one lap, so that a lap is longer than the clock's noise

Job = Callable[[], timing.Lap]


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Measures every configuration in one go, everything in turns.

    Raises:
      InputError: a configuration is not known.
    """
    backend = jax.default_backend()
    dtype = options["dtype"] or ("float32" if backend == "cpu" else "bfloat16")
    batches = options["batches"] or [1, 4 if backend == "cpu" else 16]
    models = {name: Model(name, dtype) for name in options["configs"] or CONFIGS}
    jobs = matmuls(dtype, backend)
    peaks = list(jobs)
    for name, model in models.items():
        jobs |= {f"{name} {what}": job for what, job in model.jobs(batches, _REPEAT[backend]).items()}
        if backend != "cpu":
            jobs[f"{name} train"] = train_job(name, options["batch_size"])
    print(f"compiling and warming up: {', '.join(jobs)}", flush=True)
    laps = timing.in_turns(jobs, options["rounds"])
    best = max(peaks, key=lambda name: speed(laps[name]))
    report: dict[str, Any] = {
        "dtype": dtype,
        "rounds": options["rounds"],
        "matmul": {name: {"flops_p50": speed(laps[name])} for name in peaks} | {"compared_with": best},
    }
    for name, model in models.items():
        report[name] = model.facts()
        for what in [key.removeprefix(f"{name} ") for key in jobs if key.startswith(f"{name} ")]:
            found = laps[f"{name} {what}"]
            report[name][what] = row(found, laps[best], model.items(what, options["batch_size"]))
            if what == "decode 1":
                report[name][what]["frame"] = timing.quantiles(model.waits[_REPEAT[backend] :])
            print(f"{name} {what}: {report[name][what]}", flush=True)
    return report


def row(laps: list[timing.Lap], peak: list[timing.Lap], items: tuple[int, str, float]) -> dict[str, Any]:
    """Operations a second and their share of the peak; items (images of a call, their name, operations of a call)."""
    count, unit, asked = items
    calls = np.asarray([lap.items / asked for lap in laps])
    walls = np.asarray([lap.wall for lap in laps]) / calls
    return {
        "gflop": round(asked / 1e9, 3),
        "flops_p50": speed(laps),
        **timing.share(laps, peak),
        "call": timing.quantiles(walls),
        f"{unit}_per_second_p50": float(f"{count / np.median(walls):.4g}"),
        f"{unit}_per_cpu_second_p50": float(f"{count / np.median([lap.cpu / n for lap, n in zip(laps, calls)]):.4g}"),
    }


def speed(laps: list[timing.Lap]) -> float:
    """Items (operations) a second of wall time, median."""
    return float(f"{np.median([lap.items / lap.wall for lap in laps]):.4g}")


def matmuls(dtype: str, backend: str) -> dict[str, Job]:
    """Laps of square matrix products, their items operations."""
    side, repeat = _SIDE[backend], _REPEAT[backend]
    rng = np.random.default_rng(0)
    left, right = (rng.normal(size=(side, side)).astype(np.float32) for _ in range(2))
    a, b = jnp.asarray(left, dtype), jnp.asarray(right, dtype)
    product = jax.jit(jnp.matmul)

    def by_xla() -> int:
        for _ in range(repeat):
            out = product(a, b)
        jax.block_until_ready(out)
        return repeat * 2 * side**3

    def by_blas() -> int:
        np.matmul(left, right)
        return 2 * side**3

    jobs = {f"xla {side}": lambda: timing.lap(by_xla)}
    if backend == "cpu" and dtype == "float32":
        jobs[f"blas {side}"] = lambda: timing.lap(by_blas)
    return jobs


class Model:
    """A configuration ready to encode and decode, with what each of its programs asks for."""

    def __init__(self, name: str, dtype: str):
        from vasa_jax.inference.renderer import FaceRenderer
        from vasa_jax.models.face_latent import FaceLatentModel

        self.name = name
        config, params = bundled() if name == BUNDLED else fresh(name)
        config.dtype = dtype
        self.size, self.parameters = config.size, sum(math.prod(x.shape) for x in jax.tree.leaves(params))
        self.asked = dry_run.operations(config, params)
        model = FaceLatentModel(ml_collections.FrozenConfigDict(config))
        self.renderer = FaceRenderer(model, params, self.size, generator=config.generator)
        self.waits: list[float] = []  # seconds for single frames, the warm-up's first

    def facts(self) -> dict[str, Any]:
        """What the rows are about."""
        weights = "bundled" if self.name == BUNDLED else "random"
        return {"size": self.size, "parameters": self.parameters, "weights": weights}

    def jobs(self, batches: list[int], repeat: int) -> dict[str, Job]:
        """Laps of `encode` and of `decode` at each batch size, their items operations."""
        image = np.random.default_rng(0).integers(0, 256, (self.size, self.size, 3)).astype(np.uint8)
        latents = self.renderer.encode(image)
        still = np.concatenate([latents.pose, latents.dynamics], -1)

        def encode() -> int:
            jax.block_until_ready(self.renderer.encode(image))
            return self.asked["encode"]

        def decode(motion: np.ndarray) -> int:
            for _ in range(repeat):
                start = time.perf_counter()
                out = self.renderer.decode(latents, motion)
                if len(motion) == 1:  # a caller who waits for each frame; batches are queued
                    jax.block_until_ready(out)
                    self.waits.append(time.perf_counter() - start)
            jax.block_until_ready(out)
            return repeat * len(motion) * self.asked["decode"]

        jobs: dict[str, Job] = {"encode": lambda: timing.lap(encode)}
        for batch in batches:
            motion = np.repeat(still, batch, 0)
            jobs[f"decode {batch}"] = lambda motion=motion: timing.lap(functools.partial(decode, motion))
        return jobs

    def items(self, what: str, train_batch: int) -> tuple[int, str, float]:
        """Pictures of one call, what they are, and the operations of the call."""
        if what == "encode":
            return 1, "portraits", self.asked["encode"]
        if what == "train":
            return train_batch, "items", _train_operations(self.name, train_batch)
        count = int(what.split()[1])
        return count, "frames", count * self.asked["decode"]


def bundled() -> tuple[ml_collections.ConfigDict, Any]:
    """Configuration and parameters that the project ships."""
    from vasa_jax import weights

    release = weights.load_release(weights.BUNDLED_FAST)
    return ml_collections.ConfigDict(release.face_config), release.face_params


def fresh(name: str) -> tuple[ml_collections.ConfigDict, Any]:
    """A configuration of experiments/configs/face and small random numbers of its parameters' shapes."""
    from vasa_jax.models.face_latent import FaceLatentModel

    config = face_config(name).model
    model = FaceLatentModel(ml_collections.FrozenConfigDict(config))
    image = jnp.zeros((1, config.size, config.size, 3))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), image, image)["params"])
    rng = np.random.default_rng(0)
    return config, jax.tree.map(lambda x: 0.02 * rng.standard_normal(x.shape, np.float32), shapes)


def face_config(name: str) -> ml_collections.ConfigDict:
    """experiments/configs/face/NAME.py with everything that it can train switched on.

    Raises:
      InputError: there is no such file.
    """
    try:
        config = importlib.import_module(f"experiments.configs.face.{name}").get_config()
    except ImportError as error:
        raise InputError(f"--configs: there is no experiments/configs/face/{name}.py") from error
    config.unlock()
    config.discriminator.enabled = True
    return config


def train_job(name: str, batch: int) -> Job:
    """Laps of one train step with everything on, its items operations."""
    from vasa_jax.training.partition import MeshPartitioner

    make, shapes, example, networks = dry_run.pure_step(face_config(name), batch)
    step = MeshPartitioner(devices=jax.devices()[:1]).step(make, shapes)
    rng = np.random.default_rng(0)
    rows = {key: jnp.asarray(0.01 * rng.integers(0, 100, x.shape)).astype(x.dtype) for key, x in example.items()}
    state = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    state = state.replace(params=jax.tree.map(lambda x: 0.02 * rng.standard_normal(x.shape, np.float32), shapes.params))
    networks = jax.tree.map(lambda x: 0.02 * rng.standard_normal(x.shape, np.float32), networks)
    asked, key = _train_operations(name, batch), jax.random.key(0)

    def train() -> int:
        nonlocal state
        state, metrics = step(state, rows, key, networks)
        jax.block_until_ready(metrics)
        return asked

    return lambda: timing.lap(train)


@functools.cache
def _train_operations(name: str, batch: int) -> int:
    return dry_run.step_operations(face_config(name), batch)
