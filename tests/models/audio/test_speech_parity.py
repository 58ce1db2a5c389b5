"""The speech models against those of transformers, by random weights written as the published folders are."""

import json

import jax
import numpy as np
import pytest

from tests import quick
from vasa_jax.models.audio import speech_files
from vasa_jax.models.audio.wav2vec2 import Wav2Vec2

TOLERANCE = 1e-4
SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "conv_dim": [16] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
BASE = {"feat_extract_norm": "group", "do_stable_layer_norm": False, "conv_bias": False}
LARGE = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
# An odd positional kernel, which nobody published, needs no step dropped.
CASES = {
    "wav2vec2-base": ("Wav2Vec2", BASE),
    "wav2vec2-large": ("Wav2Vec2", LARGE),
    "wav2vec2-mixed": ("Wav2Vec2", {**BASE, "do_stable_layer_norm": True, "num_conv_pos_embeddings": 15}),
    "hubert-base": ("Hubert", {**BASE, "feat_proj_layer_norm": False}),
    "hubert-large": ("Hubert", LARGE),
    "wavlm-base": ("WavLM", {**BASE, "num_buckets": 20, "max_bucket_distance": 16}),
    "wavlm-large": ("WavLM", {**LARGE, "num_buckets": 20, "max_bucket_distance": 16}),
}
LENGTHS = (4237, 3001, 2000)


def _transformers():
    """PyTorch and transformers, or a skip that says which is absent or broken."""
    torch = pytest.importorskip("torch", reason="PyTorch, which the original models run on, is not installed")
    try:
        import transformers

        _ = transformers.HubertModel, transformers.Wav2Vec2Model, transformers.WavLMModel  # imported on first use
    except Exception as error:  # a transformers that does not fit its torch fails in its own ways
        pytest.skip(f"transformers, which holds the original models, cannot be imported: {error}")
    return torch, transformers


def _original(name, folder):
    """A model of transformers with random weights, saved to `folder`; every weight far from its start of 0 or 1."""
    torch, transformers = _transformers()
    kind, form = CASES[name]
    config = getattr(transformers, f"{kind}Config")(**{**SIZE, **form})
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}Model")(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value += 0.1 * torch.randn(value.shape)
    model.save_pretrained(folder)
    return model


def _audio(lengths=LENGTHS, seed=0):
    """Sound and which samples of it are heard, [b, n]."""
    heard = np.arange(max(lengths)) < np.asarray(lengths)[:, None]
    audio = np.random.default_rng(seed).standard_normal(heard.shape).astype(np.float32)
    return np.where(heard, audio, np.float32(0)), heard


def _run(folder):
    config, params, _ = speech_files.read_folder(folder)
    return config, quick.jit(lambda audio, heard=None: Wav2Vec2(config).apply({"params": params}, audio, heard))


def _differences(ours, theirs, where):
    """Largest difference of each hidden state and of the output, where features count."""
    pairs = [*zip(ours.states, theirs.hidden_states, strict=True), (ours.last, theirs.last_hidden_state)]
    for _, expected in pairs:
        assert expected.numpy()[where].std() > 0.1
    return [np.abs(np.asarray(a) - b.numpy())[where].max() for a, b in pairs]


@pytest.mark.parametrize("name", CASES)
def test_every_layer_is_that_of_transformers(name, tmp_path):
    torch, _ = _transformers()
    model = _original(name, tmp_path)
    config, run = _run(tmp_path)
    audio, heard = _audio()
    mask = torch.tensor(heard.astype(np.int64))
    with torch.no_grad():
        plain = model(torch.tensor(audio), output_hidden_states=True)
        masked = model(torch.tensor(audio), attention_mask=mask, output_hidden_states=True)
    everywhere = np.ones((len(LENGTHS), config.steps(LENGTHS[0])), bool)
    counted = np.arange(everywhere.shape[1]) < np.asarray([config.steps(n) for n in LENGTHS])[:, None]
    found = {"plain": _differences(run(audio), plain, everywhere)}
    found["masked"] = _differences(run(audio, heard), masked, counted)
    print(json.dumps({name: {key: [float(f"{x:.1e}") for x in value] for key, value in found.items()}}))
    assert max(max(value) for value in found.values()) < TOLERANCE


@pytest.mark.parametrize("length", [400, 401, 719, 720, 2345])
def test_odd_lengths(length, tmp_path_factory):
    torch, _ = _transformers()
    for name in ("wav2vec2-base", "wav2vec2-large"):
        folder = tmp_path_factory.mktemp(name)
        model, (config, run) = _original(name, folder), _run(folder)
        audio, _ = _audio((length,))
        with torch.no_grad():
            theirs = model(torch.tensor(audio), output_hidden_states=True)
        ours = run(audio)
        assert ours.last.shape[1] == config.steps(length)
        assert max(_differences(ours, theirs, np.s_[:])) < TOLERANCE


def test_pytorch_bin_and_heads_and_old_names(tmp_path):
    """What older folders hold: a pickle, names of a model with a head, the weight norm's first names."""
    torch, _ = _transformers()
    model = _original("wav2vec2-base", tmp_path)
    expected = speech_files.read_folder(tmp_path)[1]
    state = {f"wav2vec2.{name}": value for name, value in model.state_dict().items()}
    at = "wav2vec2.encoder.pos_conv_embed.conv"
    for number, old in enumerate(("weight_g", "weight_v")):
        state[f"{at}.{old}"] = state.pop(f"{at}.parametrizations.weight.original{number}")
    torch.save(state | {"lm_head.weight": torch.zeros(3, 4)}, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    jax.tree.map(np.testing.assert_array_equal, speech_files.read_folder(tmp_path)[1], expected)
