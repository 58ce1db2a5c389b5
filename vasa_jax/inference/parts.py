"""The parts of a release that other programs run: encode, one window of motion, decode.

Every function is the model's own for one row, mapped over a batch, so that what the model asks of its batch ("is it
one?") is settled. `stablehlo.py` and `onnx_files.py` write them to files.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from vasa_jax import weights
from vasa_jax.diffusion import sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import starting_noise
from vasa_jax.inference.motion import _CLAMP
from vasa_jax.models.audio import front_end, log_mel
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.models.motion_sampling import sample_window
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig

_GUIDED = ("audio", "gaze")


@dataclasses.dataclass(frozen=True)
class Part:
    """One function.

    Attributes:
      function: of (params, *inputs).
      of: "face" or "motion", whose weights it takes.
      params: these, by their paths.
      inputs: shapes, {name: shape or {name: shape}}, in the function's order.
      outputs: the name of what it returns, or of each; a dictionary names its own.
    """

    function: Callable
    of: str
    params: dict[str, np.ndarray]
    inputs: dict[str, Any]
    outputs: tuple[str, ...]


def parts_of(release: weights.Release, batch: Any, *, steps: int, flag: str) -> dict[str, Part]:
    """encode, decode and, if there is a motion model, motion.

    Args:
      batch: rows, a number or a symbolic dimension.
      steps: denoising steps of a window.
      flag: that asks for it, to be named in an error.

    Raises:
      UsageError: the motion model listens through a pretrained speech model, which is not part of a release.
    """
    config = motion_config(release)
    if config is not None and config.speech != "mel":
        raise UsageError(f"{flag}: the motion model listens through {config.speech}; only log-mel can be exported")
    parts = _face_parts(release, batch)
    if config is not None:
        inputs = {name: _rows(batch, entry["shape"], entry["dtype"]) for name, entry in motion_inputs(config).items()}
        params = flatten_dict(release.motion_params, sep="/")
        parts["motion"] = Part(_motion(config, steps), "motion", params, {"given": inputs}, ("motion", "level"))
    return parts


def described(release: weights.Release, *, steps: int) -> dict[str, Any]:
    """config.json: sizes, every input of the motion step, statistics of the motion."""
    frames = log_mel.SAMPLE_RATE // log_mel.SAMPLES_PER_FRAME
    told: dict[str, Any] = {"size": int(release.face_config["size"]), "fps": frames, "steps": steps}
    config = motion_config(release)
    if config is not None:
        stats = release.motion_stats or {}
        starting = starting_noise.usual(config.motion_dim, stats.get("lips"))
        told |= {"motion_inputs": motion_inputs(config), "noise_scale": np.asarray(starting.scale).tolist()}
        told["noise_lips"] = [] if starting.lips is None else np.asarray(starting.lips).tolist()
        told["motion_stats"] = _stats(stats)
    return told


def motion_config(release: weights.Release) -> MotionConfig | None:
    """Of its motion model, if it has one."""
    return None if release.motion_params is None else MotionConfig.create(release.motion_config or {})


def specs(params: dict[str, np.ndarray]) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes of weights."""
    return {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in params.items()}


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
        "noise": entry(
            (c.window, c.motion_dim), "standard normal, times noise_scale, without its part along noise_lips"
        ),
        "gaze": entry((2,), "radians"),
        "distance": entry((), "standard deviations"),
        "emotion": entry((8,), "offsets, HSEmotion order"),
        "cfg_audio": entry((), "guidance by the audio", 0.5),
        "cfg_gaze": entry((), "guidance by the gaze", 1.0),
    }


def _motion(config: MotionConfig, steps: int) -> Callable:
    def one(params: dict[str, jax.Array], given: dict[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
        heard = given["heard"][None]
        audio, level = front_end.fitting(config, None).features(given["sound"][None], heard, given["floor"][None])
        conditions = MotionConditions(
            audio=audio,
            audio_mask=heard,
            previous=given["previous"][None],
            told={one.name: given[one.name][None] for one in config.told},
            valid=jnp.ones((1, config.frames), bool),
        )
        scales = {name: given[f"cfg_{name}"] for name in _GUIDED}
        made = sample_window(
            unflatten_dict(params, sep="/"),
            conditions,
            given["noise"][None],
            None,  # the sampler adds no noise of its own
            scales,
            {"previous": given["first"][None]},
            config=config,
            steps=steps,
            method=sampler.DEFAULT,
        )
        return made[0], level[0]

    return lambda params, given: jax.vmap(one, (None, 0))(params, given)


def _face_parts(release: weights.Release, batch: Any) -> dict[str, Part]:
    size = int(release.face_config["size"])
    params = flatten_dict(release.face_params, sep="/")
    model = FaceLatentModel(ml_collections.FrozenConfigDict(release.face_config))

    def encode_one(params: dict[str, jax.Array], image: jax.Array) -> dict[str, jax.Array]:
        latents = model.apply({"params": unflatten_dict(params, sep="/")}, image[None], method="encode")
        return {name: value[0] for name, value in vars(latents).items() if value is not None}

    def decode_one(params: dict[str, jax.Array], latents: dict[str, jax.Array], vector: jax.Array) -> jax.Array:
        given = FaceLatents(**latents)
        vector = vector[None]
        tree = {"params": unflatten_dict(params, sep="/")}
        return model.apply(tree, given, vector[:, :7], vector[:, 7:], method="decode")[0]

    shapes = jax.eval_shape(encode_one, specs(params), jax.ShapeDtypeStruct((size, size, 3), np.float32))
    one = {name: jax.ShapeDtypeStruct((1, *value.shape), value.dtype) for name, value in shapes.items()}
    images = {"pictures": _rows(batch, (size, size, 3))}
    vectors = {"latents": one, "vectors": _rows(batch, (7 + shapes["dynamics"].shape[-1],))}
    return {
        "encode": Part(jax.vmap(encode_one, (None, 0)), "face", params, images, ()),
        "decode": Part(jax.vmap(decode_one, (None, None, 0)), "face", params, vectors, ("frames",)),
    }


def _rows(batch: Any, shape: Any, dtype: Any = np.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((batch, *shape), np.dtype(dtype))


def _stats(stats: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Mean, deviation and bounds, as `MotionGenerator` takes them."""
    mean, std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
    bounds = {"low": stats.get("low", mean - _CLAMP * std), "high": stats.get("high", mean + _CLAMP * std)}
    return {name: np.asarray(value).tolist() for name, value in ({"mean": mean, "std": std} | bounds).items()}
