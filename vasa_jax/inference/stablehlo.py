"""A release as StableHLO (`jax.export`): encode, one window of motion, decode; weights apart, any batch.

Every function is the model's own for one row, mapped over a symbolic batch, so that what the model asks of its batch
("is it one?") is settled. `exported.py`, copied to the folder as load.py, runs it with jax and numpy alone.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from jax import export as jax_export

from vasa_jax import files, weights
from vasa_jax.diffusion import sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import exported
from vasa_jax.inference.motion import _CLAMP, starting_scale
from vasa_jax.models.audio import front_end, log_mel
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.models.motion_sampling import sample_window
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig

PLATFORMS = ("cpu", "cuda", "tpu")
_GUIDED = ("audio", "gaze")


def write(release: weights.Release, folder: str | Path, *, steps: int = 10) -> dict[str, int]:
    """Writes NAME.stablehlo, the weights, config.json and load.py.

    Args:
      release: a loaded release; without a motion model the motion step is left out.
      folder: made where it is missing.
      steps: denoising steps of a window.

    Returns:
      Bytes of each file.

    Raises:
      UsageError: the motion model listens through a pretrained speech model, which is not part of a release.
    """
    config = None if release.motion_params is None else MotionConfig.create(release.motion_config or {})
    if config is not None and config.speech != "mel":
        raise UsageError(f"--stablehlo: the motion model listens through {config.speech}; only log-mel can be exported")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    size = int(release.face_config["size"])
    described: dict[str, Any] = {"size": size, "fps": log_mel.SAMPLE_RATE // log_mel.SAMPLES_PER_FRAME, "steps": steps}
    face = flatten_dict(release.face_params, sep="/")
    for name, (function, inputs) in _face_functions(release.face_config, size, face).items():
        _export(folder / f"{name}.stablehlo", function, face, *inputs)
    weights.save_params(folder / "face.safetensors", release.face_params)
    if config is not None and release.motion_params is not None:
        inputs = motion_inputs(config)
        motion = flatten_dict(release.motion_params, sep="/")
        specs = {name: _rows(entry["shape"], entry["dtype"]) for name, entry in inputs.items()}
        _export(folder / "motion.stablehlo", _motion(config, steps), motion, specs)
        weights.save_params(folder / "motion.safetensors", release.motion_params)
        described |= {"motion_inputs": inputs, "noise_scale": starting_scale(config.motion_dim).tolist()}
        described["motion_stats"] = _stats(release.motion_stats or {})
    files.write_json(folder / "config.json", described)
    shutil.copyfile(exported.__file__, folder / "load.py")
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}


def motion_inputs(config: MotionConfig) -> dict[str, dict[str, Any]]:
    """Of the motion step, without the batch: shape, dtype, value in silence, and what it is."""
    c = config

    def entry(shape: tuple[int, ...], what: str, value: Any = 0.0, dtype: str = "float32") -> dict[str, Any]:
        return {"shape": list(shape), "dtype": dtype, "value": value, "what": what}

    return {
        "sound": entry((c.frames * log_mel.SAMPLES_PER_FRAME,), "16 kHz, of context and window"),
        "heard": entry((c.frames,), "frames of it that are known", True, "bool"),
        "floor": entry((), "least speech level in dB, of the window before", -1e9),
        "previous": entry((c.context, c.motion_dim), "standardised motion of the context"),
        "first": entry((), "nothing was before: previous is not looked at", True, "bool"),
        "noise": entry((c.window, c.motion_dim), "standard normal, times noise_scale"),
        "gaze": entry((2,), "radians"),
        "distance": entry((), "standard deviations"),
        "emotion": entry((8,), "offsets, HSEmotion order"),
        "cfg_audio": entry((), "guidance by the sound", 0.5),
        "cfg_gaze": entry((), "guidance by the gaze", 1.0),
    }


def _motion(config: MotionConfig, steps: int) -> Callable:
    def one(params: dict[str, jax.Array], given: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        heard = given["heard"][None]
        audio, level = front_end.fitting(config, None).features(given["sound"][None], heard, given["floor"][None])
        conditions = MotionConditions(
            audio=audio,
            audio_valid=heard,
            previous=given["previous"][None],
            told={one.name: given[one.name][None] for one in config.told},
            valid=jnp.ones((1, config.frames), bool),
        )
        scales = {name: given[f"cfg_{name}"] for name in _GUIDED}
        made = sample_window(
            unflatten_dict(params, sep="/"),
            conditions,
            given["noise"][None],
            jax.random.key(0),  # the sampler adds no noise of its own
            scales,
            {"previous": given["first"][None]},
            config=config,
            steps=steps,
            method=sampler.DEFAULT,
        )
        return made[0], level[0]

    return lambda params, given: jax.vmap(one, (None, 0))(params, given)


def _face_functions(config: dict[str, Any], size: int, params: dict[str, np.ndarray]) -> dict[str, tuple]:
    model = FaceLatentModel(ml_collections.FrozenConfigDict(config))

    def encode_one(params: dict[str, jax.Array], picture: jax.Array) -> dict[str, jax.Array]:
        latents = model.apply({"params": unflatten_dict(params, sep="/")}, picture[None], method="encode")
        return {name: value[0] for name, value in vars(latents).items() if value is not None}

    def decode_one(params: dict[str, jax.Array], latents: dict[str, jax.Array], vector: jax.Array) -> jax.Array:
        given = FaceLatents(**latents)
        vector = vector[None]
        tree = {"params": unflatten_dict(params, sep="/")}
        return model.apply(tree, given, vector[:, :7], vector[:, 7:], method="decode")[0]

    picture = _rows((size, size, 3))
    shapes = jax.eval_shape(encode_one, _specs(params), jax.ShapeDtypeStruct((size, size, 3), np.float32))
    one = {name: jax.ShapeDtypeStruct((1, *value.shape), value.dtype) for name, value in shapes.items()}
    vectors = _rows((7 + shapes["dynamics"].shape[-1],))
    return {
        "encode": (jax.vmap(encode_one, (None, 0)), (picture,)),
        "decode": (jax.vmap(decode_one, (None, None, 0)), (one, vectors)),
    }


def _export(path: Path, function: Callable, params: dict[str, np.ndarray], *inputs: Any) -> None:
    made = jax_export.export(jax.jit(function), platforms=PLATFORMS)(_specs(params), *inputs)
    with files.replacing(path) as temporary:
        temporary.write_bytes(made.serialize())


def _specs(params: dict[str, np.ndarray]) -> dict[str, jax.ShapeDtypeStruct]:
    return {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in params.items()}


_BATCH = jax_export.symbolic_shape("b")[0]


def _rows(shape: Any, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((_BATCH, *shape), np.dtype(dtype))


def _stats(stats: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Mean, deviation and bounds, as `MotionGenerator` takes them."""
    mean, std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
    bounds = {"low": stats.get("low", mean - _CLAMP * std), "high": stats.get("high", mean + _CLAMP * std)}
    return {name: np.asarray(value).tolist() for name, value in ({"mean": mean, "std": std} | bounds).items()}
