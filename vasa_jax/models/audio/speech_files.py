"""Folders of speech models as Hugging Face publishes them, read without PyTorch and without transformers.

    facebook/wav2vec2-base-960h, facebook/wav2vec2-large-960h-lv60-self, facebook/hubert-base-ls960,
    microsoft/wavlm-base

A folder holds config.json, the weights (model.safetensors or pytorch_model.bin), and preprocessor_config.json, which
says whether audio is brought to zero mean and unit variance first. Heads (CTC, quantiser) are not read.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy

from vasa_jax import torch_file
from vasa_jax.errors import InputError
from vasa_jax.models.audio.wav2vec2 import ACTIVATIONS, Wav2Vec2, Wav2Vec2Config
from vasa_jax.torch_file import State

KINDS = ("wav2vec2", "hubert", "wavlm")
SAMPLE_RATE = 16_000
_GIVE = f"give the folder of a {', '.join(KINDS[:-1])} or {KINDS[-1]} model"


def read_folder(folder: str | Path) -> tuple[Wav2Vec2Config, dict[str, Any], bool]:
    """Config, parameters of `Wav2Vec2`, and whether audio is to be normalised (do_normalize).

    Raises:
      InputError: a file is missing or damaged, or holds a model of another kind.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: {_GIVE} (config.json, model.safetensors)")
    config = config_of(_read_json(folder / "config.json"), folder / "config.json")
    state = _read_state(folder)
    try:
        params = from_torch(state, config)
    except KeyError as error:
        raise InputError(f"{folder}: the weights lack {error.args[0]}; {_GIVE}, whole") from error
    _check_shapes(params, config, folder)
    return config, params, _normalises(folder)


def kind_of(folder: str | Path) -> str:
    """One of `KINDS`, of a folder that `read_folder` has read."""
    return _read_json(Path(folder) / "config.json")["model_type"]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: {_GIVE}") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); fetch it again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no settings; fetch it again")
    return found


def _normalises(folder: Path) -> bool:
    """do_normalize of preprocessor_config.json; True, as transformers has it, where nothing is said."""
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return True
    found = _read_json(path)
    rate = found.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise InputError(f"{path}: a model for audio of {rate} Hz; {_GIVE} for {SAMPLE_RATE} Hz")
    return bool(found.get("do_normalize", True))


def config_of(found: Mapping[str, Any], path: str | Path = "config.json") -> Wav2Vec2Config:
    """The config of a folder's config.json; what it does not say is as transformers has it.

    Raises:
      InputError: the model is of another kind, or has parts that this graph does not have.
    """
    kind = found.get("model_type")
    if kind not in KINDS:
        raise InputError(f"{path}: model_type is {kind!r}; {_GIVE}")
    for name, what in (("adapter_attn_dim", "adapters in its layers"), ("conv_pos_batch_norm", "a batch norm")):
        if found.get(name):
            raise InputError(f"{path}: {name} is set, a model with {what}, which is not supported; {_GIVE} without")
    names = {
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "mlp_width": "intermediate_size",
        "conv_bias": "conv_bias",
        "conv_norm": "feat_extract_norm",
        "conv_activation": "feat_extract_activation",
        "stable": "do_stable_layer_norm",
        "position_kernel": "num_conv_pos_embeddings",
        "position_groups": "num_conv_pos_embedding_groups",
        "activation": "hidden_act",
        "epsilon": "layer_norm_eps",
    }
    values = {ours: found[theirs] for ours, theirs in names.items() if found.get(theirs) is not None}
    lists = {"conv_widths": "conv_dim", "conv_kernels": "conv_kernel", "conv_strides": "conv_stride"}
    values |= {ours: tuple(found[theirs]) for ours, theirs in lists.items() if found.get(theirs) is not None}
    values["projection_norm"] = kind != "hubert" or bool(found.get("feat_proj_layer_norm", True))
    if kind == "wavlm":
        values |= {"buckets": found.get("num_buckets", 320), "farthest": found.get("max_bucket_distance", 800)}
    config = Wav2Vec2Config(**values)
    _check_config(config, path)
    return config


def _check_config(config: Wav2Vec2Config, path: str | Path) -> None:
    for activation in (config.activation, config.conv_activation):
        if activation not in ACTIVATIONS:
            raise InputError(f"{path}: activation {activation!r} is none of {', '.join(ACTIVATIONS)}; {_GIVE}")
    if config.conv_norm not in ("group", "layer"):
        raise InputError(f"{path}: feat_extract_norm is {config.conv_norm!r}, neither 'group' nor 'layer'; {_GIVE}")
    if len({len(config.conv_widths), len(config.conv_kernels), len(config.conv_strides)}) > 1:
        raise InputError(f"{path}: conv_dim, conv_kernel and conv_stride differ in length; fetch it again")
    if config.width % config.heads or config.width % config.position_groups:
        raise InputError(f"{path}: {config.heads} heads do not divide a width of {config.width}; fetch it again")


def _read_state(folder: Path) -> State:
    """Names of the bare model -> float32 arrays."""
    path = folder / "model.safetensors"
    if path.is_file():
        try:
            state = safetensors.numpy.load_file(path)
        except (OSError, safetensors.SafetensorError, ValueError) as error:
            raise InputError(f"{path} is not a readable safetensors file ({error}); fetch it again") from error
    elif (folder / "pytorch_model.bin").is_file():
        state = torch_file.read_tensors(folder / "pytorch_model.bin")
    elif any(folder.glob("*.index.json")):
        raise InputError(f"{folder}: weights in several files are not supported; save them as one model.safetensors")
    else:
        raise InputError(f"{folder} has neither model.safetensors nor pytorch_model.bin: {_GIVE}")
    prefixes = tuple(f"{kind}." for kind in KINDS)  # of models that were saved with a head
    bare = {name.split(".", 1)[1] if name.startswith(prefixes) else name: value for name, value in state.items()}
    return {name: np.asarray(value, np.float32) for name, value in bare.items()}


def from_torch(state: State, config: Wav2Vec2Config) -> dict[str, Any]:
    """Parameters of `Wav2Vec2` from a state dictionary.

    Raises:
      KeyError: a name is missing.
    """

    def dense(name: str) -> dict[str, np.ndarray]:
        return {"kernel": state[f"{name}.weight"].T, "bias": state[f"{name}.bias"]}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {"scale": state[f"{name}.weight"], "bias": state[f"{name}.bias"]}

    params: dict[str, Any] = {
        "extractor": _extractor(state, config),
        "projection": dense("feature_projection.projection"),
        "positions": {"conv": _positions(state)},
        "norm": norm("encoder.layer_norm"),
    }
    if config.projection_norm:
        params["projection_norm"] = norm("feature_projection.layer_norm")
    if config.buckets:
        params["distances"] = state["encoder.layers.0.attention.rel_attn_embed.weight"]
    for i in range(config.layers):
        at = f"encoder.layers.{i}"
        parts = ("query", "key", "value")
        attention: dict[str, Any] = {part: dense(f"{at}.attention.{part[0]}_proj") for part in parts}
        attention["out"] = dense(f"{at}.attention.out_proj")
        if config.buckets:
            attention["gate"] = dense(f"{at}.attention.gru_rel_pos_linear")
            attention["gate_scale"] = state[f"{at}.attention.gru_rel_pos_const"].reshape(-1)
        params[f"layer_{i}"] = {
            "attention": attention,
            "norm_attention": norm(f"{at}.layer_norm"),
            "mlp_in": dense(f"{at}.feed_forward.intermediate_dense"),
            "mlp_out": dense(f"{at}.feed_forward.output_dense"),
            "norm_mlp": norm(f"{at}.final_layer_norm"),
        }
    return params


def _extractor(state: State, config: Wav2Vec2Config) -> dict[str, Any]:
    layers = {}
    for i in range(len(config.conv_widths)):
        at = f"feature_extractor.conv_layers.{i}"
        layers[f"conv_{i}"] = {"kernel": state[f"{at}.conv.weight"].transpose(2, 1, 0)}
        if config.conv_bias:
            layers[f"conv_{i}"]["bias"] = state[f"{at}.conv.bias"]
        if config.conv_norm == "layer" or not i:
            layers[f"norm_{i}"] = {"scale": state[f"{at}.layer_norm.weight"], "bias": state[f"{at}.layer_norm.bias"]}
    return layers


def _positions(state: State) -> dict[str, np.ndarray]:
    """The positional convolution with its weight norm (Salimans and Kingma 2016) folded in: a length for each tap."""
    at = "encoder.pos_conv_embed.conv"
    # The first two are PyTorch's present names, the others those of most published files.
    new = f"{at}.parametrizations.weight.original0" in state
    length, direction = (
        state[f"{at}.{name}"].astype(np.float64)
        for name in (
            ("parametrizations.weight.original0", "parametrizations.weight.original1")
            if new
            else ("weight_g", "weight_v")
        )
    )
    kernel = length * direction / np.sqrt(np.square(direction).sum((0, 1), keepdims=True))
    return {"kernel": kernel.transpose(2, 1, 0).astype(np.float32), "bias": state[f"{at}.bias"]}


def parameter_shapes(config: Wav2Vec2Config) -> dict[str, Any]:
    """The tree of `Wav2Vec2`'s parameters, as shapes."""
    audio = jax.ShapeDtypeStruct((1, config.reach), jnp.float32)
    return jax.eval_shape(Wav2Vec2(config).init, jax.random.key(0), audio)["params"]


def _check_shapes(params: dict[str, Any], config: Wav2Vec2Config, folder: Path) -> None:
    wanted = dict(jax.tree_util.tree_leaves_with_path(parameter_shapes(config)))
    for path, value in jax.tree_util.tree_leaves_with_path(params):
        if value.shape != wanted[path].shape:
            name = jax.tree_util.keystr(path)
            raise InputError(
                f"{folder}: {name} has the shape {value.shape}, config.json says {wanted[path].shape}; fetch both again"
            )


def random_params(config: Wav2Vec2Config, seed: int = 0) -> dict[str, Any]:
    """Random weights of the right size, to plan a run or to test without a folder."""
    rng = np.random.default_rng(seed)

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> np.ndarray:
        name = path[-1].key
        fan_in = max(int(np.prod(leaf.shape[:-1])), 1)
        spread = {"kernel": fan_in**-0.5, "scale": 0.1, "gate_scale": 0.1, "bias": 0.1, "distances": 0.5}[name]
        values = spread * rng.standard_normal(leaf.shape)
        return (values + (1.0 if "scale" in name else 0.0)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(draw, parameter_shapes(config))
