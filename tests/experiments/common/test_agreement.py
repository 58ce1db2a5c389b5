"""Fields that belong together: derived, or refused with one line, by a dry run where training refuses them."""

import importlib
import sys
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from absl import flags
from absl.testing import flagsaver

from experiments import train
from experiments.common import agreement, app, dry_run
from vasa_jax.errors import UsageError

CONFIGS = ("motion/tiny", "motion/small_apart", "motion/vasa", "pose/small", "face/portrait_256_generator")
FACES = ("tiny_64", "tiny_64_all", "small_128_clear", "lite_256", "sharp_256", "portrait_256", "vasa_256", "vasa_512")
BAD = [
    # configuration, what is changed in it, words of the message
    ("motion/tiny", "config.data.window = 40", "config.data.window is 40, and the model asks for 50"),
    ("motion/tiny", "config.data.previous = 8", "config.data.previous is 8, and the model asks for 10"),
    ("motion/tiny", "config.data.tracks = False; config.model = {**config.model, 'per_frame': True}", "data.tracks"),
    ("motion/tiny", "config.data.told = ('gaze',)", "config.data.told is ('gaze',)"),
    ("motion/tiny", "config.data.kind = 'pairs'", "config.data.kind is 'pairs', and the model asks for 'windows'"),
    ("motion/tiny", "config.model.conditions = ('gaze', 'mood')", "no condition that is told is called 'mood'"),
    ("motion/tiny", "config.model.heads = 5", "config.model: width 96 is not a multiple of 5 heads"),
    ("motion/tiny", "config.model.lookahead = 45", "config.model: lookahead"),
    ("motion/tiny", "config.model.colour = 3", "config.model: got an unexpected keyword argument 'colour'"),
    ("motion/tiny", "config.model.speech = 'wav2vec2'", "give --config.speech_model"),
    ("motion/tiny", "config.loss.drop = {'gase': 0.5}", "config.loss.drop.gase: no condition"),
    ("motion/tiny", "config.accumulate = 5", "config.accumulate is 5"),
    ("face/tiny_64", "config.data.size = 160", "config.data.size is 160, and the model asks for 80"),
    ("face/tiny_64", "config.data.config = 'small_128'", "config.data.config is 'small_128', and config.model.size 64"),
    ("face/tiny_64", "config.data.kind = 'clips'", "the model asks for 'pairs'"),
    ("face/tiny_64", "config.task = 'fase'", "config.task is 'fase'; use 'face'"),
]


@pytest.fixture(autouse=True)
def _flags(monkeypatch):
    monkeypatch.setattr(app, "compile_cache", lambda: None)
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()


def _call(*words: object) -> int:
    argv = ["vasa-train", *map(str, words)]
    with mock.patch.object(sys, "argv", argv):
        return app.call(train.main, argv)


@pytest.mark.parametrize(("name", "change", "words"), BAD, ids=lambda value: None)
def test_a_dry_run_fails_where_training_would_and_says_the_same(name, change, words, tmp_path, capsys) -> None:
    (tmp_path / "config.py").write_text(
        f"from experiments.configs.{name.replace('/', '.')} import get_config as base\n"
        f"def get_config():\n    config = base()\n    config.unlock()\n    {change}\n    return config\n"
    )
    said = []
    for rest in ("--dry_run", f"--workdir={tmp_path / 'run'}"):
        # Nothing may be compiled or opened: there is no data here, which would be another message.
        code = _call(f"--config={tmp_path / 'config.py'}", rest)
        said.append((code, *capsys.readouterr().err.splitlines()))
    assert said[0] == said[1] and said[0][0] == 2 and len(said[0]) == 2
    assert words in said[0][1]


@pytest.mark.parametrize("name", [*CONFIGS, *(f"face/{name}" for name in FACES)])
def test_the_shipped_configurations_agree_with_themselves(name) -> None:
    agreement.check(importlib.import_module(f"experiments.configs.{name.replace('/', '.')}").get_config())


def test_what_the_model_says_is_what_the_stream_is_asked_for() -> None:
    config = importlib.import_module("experiments.configs.motion.tiny").get_config()
    config.data.tracks = True  # the same field as model.per_frame
    config.model.update({"window": 30, "context": 6, "lookahead": 2})
    agreement.check(config)
    options = agreement.data_options(config)
    assert (options["previous"], options["window"], options["tracks"]) == (6, 30, True)
    batch = dry_run.example_batch(config)
    assert batch["motion"].shape[1:] == (36, 23) and batch["tracks"].shape[1:] == (36, 11)


def test_latents_of_another_width_are_refused_before_anything_compiles() -> None:
    config = importlib.import_module("experiments.configs.motion.tiny").get_config()
    stream = SimpleNamespace(sources=[SimpleNamespace(arrays={"motion": np.zeros((5, width))}) for width in (23, 39)])
    with pytest.raises(UsageError, match=r"motion_dim is 23, and the latents in data have 39 values"):
        agreement.check_motion_width(config, stream)
