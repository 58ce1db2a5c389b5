"""Folders of speech models: committed numbers of the originals, and what is said of folders that do not serve."""

import json

import numpy as np
import pytest

from tests import quick
from tests.models.audio import make_speech_golden, speech_folder
from tests.models.audio.speech_folder import write_folder
from vasa_jax.errors import InputError
from vasa_jax.models.audio import speech_files
from vasa_jax.models.audio.wav2vec2 import Wav2Vec2, Wav2Vec2Config, distance_buckets


@pytest.mark.parametrize("form", speech_folder.FORMS)
def test_hidden_states_are_those_that_pytorch_computed(form, tmp_path):
    config, params, normalise = speech_files.read_folder(write_folder(tmp_path, form, prefix="wav2vec2."))
    assert normalise
    audio, samples = make_speech_golden.audio(), np.arange(make_speech_golden.SAMPLES)
    heard = samples < np.asarray([[make_speech_golden.SAMPLES], [make_speech_golden.HEARD]])
    run = quick.jit(lambda audio, heard: Wav2Vec2(config).apply({"params": params}, audio, heard))
    hidden = run(audio, heard)
    golden = json.loads(make_speech_golden.GOLDEN.read_text(encoding="utf-8"))[form]
    for found, wanted in zip([*hidden.states, hidden.last], golden, strict=True):
        wanted = np.reshape(wanted, found.shape)
        there = np.arange(3) < np.asarray([[3], [2]])
        # Written with six digits, of numbers up to 5.
        np.testing.assert_allclose(found[there], wanted[there], atol=1e-4)


def test_sizes_of_the_published_forms():
    base = speech_files.config_of({"model_type": "wav2vec2"})
    assert base == Wav2Vec2Config() and (base.hop, base.reach) == (320, 400)
    assert [base.steps(n) for n in (399, 400, 16_000, 16_080, 64_000)] == [0, 1, 49, 50, 199]
    large = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
    large |= dict(do_stable_layer_norm=True, feat_extract_norm="layer", conv_bias=True)
    for given, millions in (({}, 94.4), (large, 315.4)):
        shapes = speech_files.parameter_shapes(speech_files.config_of({"model_type": "wav2vec2", **given}))
        count = sum(int(np.prod(leaf.shape)) for leaf in _leaves(shapes))
        # The published counts, 94.37 M and 315.44 M, less the vector that spans are masked by.
        assert round(count / 1e6, 1) == millions


def _leaves(tree):
    return [leaf for value in tree.values() for leaf in (_leaves(value) if isinstance(value, dict) else [value])]


def test_distance_buckets_are_exact_near_and_logarithmic_far():
    found = distance_buckets(40, buckets=16, farthest=20)
    assert found[5, 5] == 0 and found[5, 4] == 1 and found[5, 6] == 9
    assert found[39, 0] == 7 and found[0, 39] == 15
    assert (np.diff(found[0]) >= 0).all() and set(found.ravel()) == set(range(16)) - {8}


def test_normalisation_is_read_from_the_folder(tmp_path):
    write_folder(tmp_path)
    path = tmp_path / "preprocessor_config.json"
    path.write_text('{"do_normalize": false}')
    assert not speech_files.read_folder(tmp_path)[2]
    path.unlink()
    assert speech_files.read_folder(tmp_path)[2]
    path.write_text('{"sampling_rate": 8000}')
    with pytest.raises(InputError, match=r"preprocessor_config.json: .* 8000 Hz; give .* 16000 Hz"):
        speech_files.read_folder(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "whisper"}, "model_type is 'whisper'; give the folder of a wav2vec2, hubert or wavlm model"),
        ({"adapter_attn_dim": 16}, "adapter_attn_dim is set"),
        ({"model_type": "hubert", "conv_pos_batch_norm": True}, "conv_pos_batch_norm is set"),
        ({"hidden_act": "mish"}, "activation 'mish' is none of gelu"),
        ({"feat_extract_norm": "batch"}, "feat_extract_norm is 'batch'"),
        ({"num_hidden_layers": 3}, r"the weights lack encoder\.layers\.2\.attention"),
        ({"intermediate_size": 13}, r"mlp_in.* has the shape \(12,\), config.json says \(13,\)"),
        ({"conv_stride": [5, 2]}, "differ in length"),
        ({"num_attention_heads": 3}, "3 heads do not divide"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, changes, message):
    write_folder(tmp_path, **changes)
    with pytest.raises(InputError, match=message):
        speech_files.read_folder(tmp_path)


def test_missing_and_damaged_files_are_named(tmp_path):
    with pytest.raises(InputError, match="absent is no folder: give the folder"):
        speech_files.read_folder(tmp_path / "absent")
    with pytest.raises(InputError, match=r"config.json is missing"):
        speech_files.read_folder(tmp_path)
    write_folder(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"model.safetensors is not a readable safetensors file"):
        speech_files.read_folder(tmp_path)
    weights.unlink()
    with pytest.raises(InputError, match=r"neither model.safetensors nor pytorch_model.bin"):
        speech_files.read_folder(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match="several files"):
        speech_files.read_folder(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match="config.json cannot be read"):
        speech_files.read_folder(tmp_path)
