"""suite=solvers: which sampler comes closest, in few steps, to the motion that many steps lead to?

Held-out windows of a latents cache, each with its real previous window; every sampler starts from the same noise. The
deterministic ones solve one differential equation, whose solution is approached by many steps of the second-order one.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from vasa_jax.diffusion import guidance, sampler
from vasa_jax.inference.motion import DEFAULT_GUIDANCE, starting_scale
from vasa_jax.metrics import motion_statistics, mouth_changes
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import CONDITIONS, MotionConditions, MotionConfig, MotionTransformer

COUNTS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 50)
EXACT = 200
"""Steps of the reference solution."""


def run(part: Any, stream: Any, *, counts: Sequence[int] = COUNTS, exact: int = EXACT, seed: int = 0) -> dict[str, Any]:
    """Errors of every deterministic sampler and number of steps.

    Args:
      part: a motion model (`models.Part`).
      stream: of kind "windows" and a held-out split; its first batch is used.
      counts, exact: numbers of steps.
      seed: of the noise.

    Returns:
      {"windows", "reference", "samplers": {name: {count: numbers}}}: `error` is the root mean square distance to the
      reference in standard deviations of the data, `mouth_changes` the correlation with the real mouth read linearly
      off the motion, `movement` the spread within windows over the real motion's.
    """
    config, batch = MotionConfig.create(part.config), stream.batch(0)
    real = (batch["motion"] - part.stats["mean"]) / part.stats["std"]
    noise = np.random.default_rng(seed).standard_normal((len(real), config.window, config.motion_dim))
    start = (noise * starting_scale(config.motion_dim)).astype(np.float32)
    denoise = _denoiser(config, part.params, _conditions(config, batch, real))
    window = real[:, config.context :]

    def solve(method: str, count: int) -> Float[np.ndarray, "b w m"]:
        planned, x, before = sampler.plan(method, count, steps=config.diffusion_steps), start, np.zeros_like(start)
        for time, keep, take, turn, _ in zip(*planned, strict=True):
            clean = np.asarray(denoise(x, np.full(len(x), time, np.int32)))
            x, before = keep * x + take * clean + turn * (clean - before), clean
        return x

    best = solve("dpm++", exact)
    readout = np.asarray(part.stats["mouth_readout"])

    def score(made: Float[np.ndarray, "b w m"]) -> dict[str, float]:
        follow = [mouth_changes.change_correlation(a @ readout, b @ readout) for a, b in zip(made, window)]
        return {
            "error": float(np.sqrt(np.square(made - best).mean())),
            "mouth_changes": float(np.nanmean(follow)),
            "movement": float(np.nanmean(motion_statistics.movement_ratio(made, window))),
        }

    report = {"windows": len(real), "reference": {"sampler": "dpm++", "steps": exact, **score(best)}, "samplers": {}}
    report["reference"]["spread"] = float(best.std())
    for method in ("ddim", "dpm++"):
        report["samplers"][method] = {str(count): score(solve(method, count)) for count in counts}
    report["samplers"]["ddim"][str(exact)] = score(solve("ddim", exact))
    return report


def _conditions(config: MotionConfig, batch: dict[str, np.ndarray], real: np.ndarray) -> MotionConditions:
    power = log_mel.mel_power(batch["audio"], config.bands)
    return MotionConditions(
        audio=log_mel.features(power, log_mel.speech_level(power)),
        audio_valid=batch["valid"],
        previous=real[:, : config.context].astype(np.float32),
        gaze=batch["gaze"],
        distance=batch["distance"],
        emotion=batch["emotion"],
        valid=batch["valid"],
    )


def _denoiser(config: MotionConfig, params: Any, conditions: MotionConditions) -> Any:
    model = MotionTransformer(config)

    @jax.jit
    def denoise(params: Any, conditions: MotionConditions, x: jax.Array, time: jax.Array) -> jax.Array:
        def network(*args: Any) -> jax.Array:
            return model.apply({"params": params}, *args, method="denoise")

        heard = conditions.audio, conditions.audio_valid
        audio = model.apply({"params": params}, *heard, method="encode_audio")
        return guidance.guided(network, conditions.replace(audio=audio), DEFAULT_GUIDANCE, CONDITIONS)(x, time)

    return functools.partial(denoise, params, conditions)


def show(report: dict[str, Any]) -> None:
    """Prints the table."""
    lines = [
        [f"{method} {count}", *(tables.cell(row[name]) for name in ("error", "mouth_changes", "movement"))]
        for method, rows in report["samplers"].items()
        for count, row in rows.items()
    ]
    tables.show(
        f"{report['windows']} held-out windows against {report['reference']['steps']} steps",
        ["sampler, steps", "error", "mouth changes", "movement"],
        lines,
    )
