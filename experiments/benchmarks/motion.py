"""Suite `motion`: how long the motion model takes for a second of video, and what share of the machine that is.

    python -m experiments.benchmark --suite=motion --configs=small --denoise=10,50 --report=motion.json

Whole windows from audio to motion, guidance by audio and gaze on (three passes in a batch), in layouts A and B, in
turns with the product of two square matrices, whose speed is the peak. Operations are those of the model
(vasa_jax/training/flops.py). Compiling is measured first: into an empty cache, and again out of it. The bundled weights
are those of small in layout B; all others are random, which cost the same.
"""

import contextlib
import dataclasses
import functools
import importlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.compilation_cache import compilation_cache

from experiments.benchmarks import decode
from experiments.common import timing
from vasa_jax.errors import InputError
from vasa_jax.inference import starting_noise
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_sampling import DEFAULT_GUIDANCE, sample_window
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, init_params, nothing_asked
from vasa_jax.training import flops

LAYOUTS = ("A", "B")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Measures every configuration, layout and number of steps in one go, everything in turns.

    Raises:
      InputError: a configuration is not known.
    """
    backend = jax.default_backend()
    dtype = options["dtype"] or ("float32" if backend == "cpu" else "bfloat16")
    report: dict[str, Any] = {"dtype": dtype, "rounds": options["rounds"], "guidance": DEFAULT_GUIDANCE}
    models = {
        f"{name} {layout} {steps}": Window(name, layout, steps, dtype)
        for name in options["configs"] or ["small"]
        for layout in LAYOUTS
        for steps in options["denoise"]
    }
    compiled = {name: model.compile_times() for name, model in models.items()}
    jobs = decode.matmuls(dtype, backend)
    peaks = list(jobs)
    jobs |= {name: model.job for name, model in models.items()}
    print(f"warming up: {', '.join(jobs)}", flush=True)
    laps = timing.in_turns(jobs, options["rounds"])
    best = max(peaks, key=lambda name: decode.speed(laps[name]))
    report["matmul"] = {name: {"flops_p50": decode.speed(laps[name])} for name in peaks} | {"compared_with": best}
    for name, model in models.items():
        report[name] = model.facts() | decode.row(laps[name], laps[best], (1, "windows", model.asked))
        for kind, lap in (("", "wall"), ("cpu_", "cpu")):
            seconds = np.median([getattr(x, lap) for x in laps[name]]) / model.video_seconds
            report[name][f"{kind}ms_for_1_s_of_video"] = round(1e3 * float(seconds), 2)
        report[name]["compile"] = compiled[name]
        other = name.replace(" A ", " B ")
        if other != name:
            report[name]["layout_b_speed"] = timing.share(_calls(laps[other]), _calls(laps[name]))
        print(f"{name}: {report[name]}", flush=True)
    return report


def _calls(laps: list[timing.Lap]) -> list[timing.Lap]:
    """Laps whose items are windows, to compare programs of unlike operations."""
    return [lap._replace(items=1) for lap in laps]


def motion_config(name: str) -> MotionConfig:
    """The model of experiments/configs/motion/NAME.py.

    Raises:
      InputError: there is no such file.
    """
    try:
        module = importlib.import_module(f"experiments.configs.motion.{name}")
    except ImportError as error:
        raise InputError(f"--configs: there is no experiments/configs/motion/{name}.py") from error
    return MotionConfig.create(module.get_config().model)


class Window:
    """One window of motion from audio, ready to be timed."""

    def __init__(self, name: str, layout: str, steps: int, dtype: str):
        self.config = c = dataclasses.replace(motion_config(name), layout=layout, dtype=dtype, speech="mel")
        self.video_seconds = (c.window - c.lookahead) / 25
        shapes = jax.eval_shape(lambda: init_params(c, jax.random.key(0)))
        rng = np.random.default_rng(0)
        self._params = jax.tree.map(lambda x: jnp.asarray(0.02 * rng.standard_normal(x.shape, np.float32)), shapes)
        self._speak = functools.partial(_speak, config=c, steps=steps)
        self._args = self._arguments(rng)
        self.asked = flops.count(self._speak, self._params, *self._args)
        self._run: Any = None

    def _arguments(self, rng: np.random.Generator) -> tuple[Any, ...]:
        c = self.config
        audio = (0.1 * rng.standard_normal((1, c.frames * log_mel.SAMPLES_PER_FRAME))).astype(np.float32)
        scales = {name: np.float32(value) for name, value in DEFAULT_GUIDANCE.items()}
        return audio, nothing_asked(c), jax.random.key(0), scales, {"previous": np.zeros(1, bool)}

    def facts(self) -> dict[str, Any]:
        """What the rows are about."""
        tokens = 1 + len(self.config.told) + self.config.frames * (2 if self.config.layout == "A" else 1)
        parameters = sum(x.size for x in jax.tree.leaves(self._params))
        return {"parameters": parameters, "tokens": tokens, "video_seconds_a_window": self.video_seconds}

    def compile_times(self) -> dict[str, float]:
        """Seconds of tracing, of compiling into an empty cache, and of reading the program back from it."""
        with _empty_cache():
            found = {}
            for kind in ("compile_s", "from_cache_s"):
                jax.clear_caches()
                start = time.perf_counter()
                # A function of its own each time: JAX keeps what it compiled for one.
                lowered = jax.jit(lambda *args: self._speak(*args)).lower(self._params, *self._args)
                traced = time.perf_counter()
                self._run = lowered.compile()
                found[kind] = round(time.perf_counter() - traced, 3)
                found["trace_s"] = round(traced - start, 3)
        return found

    def job(self) -> timing.Lap:
        """A lap of one window, its items operations."""
        return timing.lap(self._once)

    def _once(self) -> int:
        jax.block_until_ready(self._run(self._params, *self._args))
        return self.asked


def _speak(
    params: Any,
    audio: jax.Array,
    conditions: MotionConditions,
    key: jax.Array,
    *how: Any,
    config: MotionConfig,
    steps: int,
) -> jax.Array:
    """A window of standardised motion from audio [1, n]."""
    power = log_mel.mel_power(audio, config.bands)
    heard = conditions.replace(audio=log_mel.features(power, log_mel.speech_level(power)))
    noise = jax.random.normal(key, (1, config.window, config.motion_dim))
    start = starting_noise.usual(config.motion_dim).of(noise)
    return sample_window(params, heard, start, key, *how, config=config, steps=steps)


@contextlib.contextmanager
def _empty_cache() -> Iterator[None]:
    """A compile cache of its own, which takes in everything."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, value in zip(names, (folder, 0.0)):
                jax.config.update(name, value)
            compilation_cache.reset_cache()
            yield
        finally:
            for name, value in before.items():
                jax.config.update(name, value)
            compilation_cache.reset_cache()
