"""The motion task on pretrained speech features: the speech model stays as it is, the mix learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.models.audio.speech_folder import write_folder
from tests.training.test_motion_task import STATS, K, W, batch, config
from vasa_jax.errors import UsageError
from vasa_jax.training import motion_task
from vasa_jax.training.task import example_keys


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> motion_task._MotionTask:
    wanted = config(augment={"pause_probability": 1.0})
    wanted.model.update({"speech": "wav2vec2", "speech_width": 8, "speech_layers": 2, "width": 16, "depth": 1})
    wanted.speech_model = str(write_folder(tmp_path_factory.mktemp("speech"), "large"))
    return motion_task._MotionTask(wanted, STATS)


def test_only_the_motion_model_is_trained_and_the_mix_with_it(task) -> None:
    data = batch(2)
    params = quick.jit(task.init)(jax.random.key(0), data)
    assert set(params) == {"motion"} and set(params["motion"]["audio_encoder"]) == {"mix", "encoder"}
    given = lambda p: {**p, "networks": {"speech": task.speech}}  # noqa: E731
    loss = quick.jit(jax.value_and_grad(lambda p: task.loss(given(p), data, jax.random.key(1), 0, {})[0]))
    value, grads = loss(params)
    assert np.isfinite(value) and all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
    # The output layer starts near zero, so that little flows back, but it flows.
    assert jnp.abs(grads["motion"]["audio_encoder"]["mix"]["weights"]).max() > 0


def test_plain_and_varied_give_two_features_a_frame(task) -> None:
    data = batch(3)
    data["audio"][:, : 10 * 640] = 0.0  # a pause to lengthen
    plain = quick.jit(lambda data: task.plain(data, task.speech)[0])(data)
    varied, _, drop = quick.jit(task.varied)(data, example_keys(jax.random.key(0), data["index"]), task.speech)
    assert plain.audio.shape == varied.audio.shape == (3, 2 * (K + W), 24)
    assert np.isfinite(varied.audio).all() and set(drop) >= {"audio", "previous"}


def test_the_folder_is_asked_for() -> None:
    wanted = config()
    wanted.model.speech = "wav2vec2"
    with pytest.raises(UsageError, match="give --config.speech_model=FOLDER"):
        motion_task.make_motion_task(wanted, STATS)
