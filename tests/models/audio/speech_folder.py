"""Folders as the speech models are published, with small random weights, written without PyTorch."""

import json
from pathlib import Path

import numpy as np
import safetensors.numpy

SIZE = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "conv_dim": [4] * 7,
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "num_conv_pos_embeddings": 6,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_activation": "gelu",
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "mask_time_prob": 0.0,
}
BASE = {"model_type": "wav2vec2", "feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
LARGE = {"model_type": "wav2vec2", "feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
FORMS = {
    "base": BASE,
    "large": LARGE,
    "wavlm": {**BASE, "model_type": "wavlm", "num_buckets": 8, "max_bucket_distance": 4},
}


def random_state(config: dict, seed: int = 0) -> dict[str, np.ndarray]:
    """A state dictionary in PyTorch's names and layouts."""
    rng, state, width = np.random.default_rng(seed), {}, config["hidden_size"]

    def draw(name: str, *shape: int, around: float = 0.0, spread: float | None = None) -> None:
        spread = max(np.prod(shape[1:]), 1.0) ** -0.5 if spread is None else spread
        state[name] = (around + spread * rng.standard_normal(shape)).astype(np.float32)

    def dense(name: str, outputs: int, inputs: int) -> None:
        draw(f"{name}.weight", outputs, inputs)
        draw(f"{name}.bias", outputs, spread=0.2)

    def norm(name: str, channels: int) -> None:
        draw(f"{name}.weight", channels, around=1.0, spread=0.2)
        draw(f"{name}.bias", channels, spread=0.2)

    inputs = 1
    for i, (outputs, kernel) in enumerate(zip(config["conv_dim"], config["conv_kernel"], strict=True)):
        at = f"feature_extractor.conv_layers.{i}"
        draw(f"{at}.conv.weight", outputs, inputs, kernel, spread=(2 / (inputs * kernel)) ** 0.5)
        if config["conv_bias"]:
            draw(f"{at}.conv.bias", outputs, spread=0.2)
        if config["feat_extract_norm"] == "layer" or not i:
            norm(f"{at}.layer_norm", outputs)
        inputs = outputs
    norm("feature_projection.layer_norm", inputs)
    dense("feature_projection.projection", width, inputs)
    kernel, groups = config["num_conv_pos_embeddings"], config["num_conv_pos_embedding_groups"]
    draw("encoder.pos_conv_embed.conv.weight_g", 1, 1, kernel, around=1.0, spread=0.2)
    draw("encoder.pos_conv_embed.conv.weight_v", width, width // groups, kernel)
    draw("encoder.pos_conv_embed.conv.bias", width, spread=0.2)
    norm("encoder.layer_norm", width)
    for i in range(config["num_hidden_layers"]):
        at = f"encoder.layers.{i}"
        for part in ("q", "k", "v", "out"):
            dense(f"{at}.attention.{part}_proj", width, width)
        if config["model_type"] == "wavlm":
            heads = config["num_attention_heads"]
            dense(f"{at}.attention.gru_rel_pos_linear", 8, width // heads)
            draw(f"{at}.attention.gru_rel_pos_const", 1, heads, 1, 1, around=1.0, spread=0.2)
            if not i:
                draw(f"{at}.attention.rel_attn_embed.weight", config["num_buckets"], heads, spread=1.0)
        norm(f"{at}.layer_norm", width)
        dense(f"{at}.feed_forward.intermediate_dense", config["intermediate_size"], width)
        dense(f"{at}.feed_forward.output_dense", width, config["intermediate_size"])
        norm(f"{at}.final_layer_norm", width)
    return state


def write_folder(folder: Path, form: str = "base", prefix: str = "", **changes: object) -> Path:
    """Writes config.json, preprocessor_config.json and model.safetensors; `changes` are of config.json."""
    config = {**SIZE, **FORMS[form], **changes}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, "sampling_rate": 16_000}))
    state = {prefix + name: value for name, value in random_state({**SIZE, **FORMS[form]}).items()}
    safetensors.numpy.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
