"""What is written as ONNX gives in onnxruntime what the models give; without jax2onnx a line says what is missing."""

import sys

import jax
import numpy as np
import pytest

from tests import quick
from tests.inference import small_release
from vasa_jax.errors import UsageError
from vasa_jax.inference import onnx_files, parts


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return small_release.make(tmp_path_factory.mktemp("release"))


def _given(part, config, random):
    """Inputs of a part: noise of a size that it may see."""

    def draw(path, spec):
        name = path[-1].key
        if name in config["motion_inputs"] and name not in ("sound", "noise", "previous"):
            return np.full(spec.shape, config["motion_inputs"][name]["value"], spec.dtype)
        value = random.uniform(0, 1, spec.shape) if name == "pictures" else random.normal(0, 0.2, spec.shape)
        return np.asarray(value, spec.dtype)

    return jax.tree_util.tree_map_with_path(draw, part.inputs)


@pytest.mark.slow  # jax2onnx imports all of its plugins first
def test_round_trip(release, tmp_path):
    pytest.importorskip("jax2onnx", reason="needs jax2onnx: pip install 'vasa_jax[onnx]'")
    runtime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
    written = onnx_files.write(release, tmp_path / "out", steps=3)
    assert set(written) == {"encode.onnx", "decode.onnx", "motion.onnx", "config.json"}
    config, random = parts.described(release, steps=3), np.random.default_rng(0)
    for name, part in parts.parts_of(release, 1, steps=3, flag="--onnx").items():
        given = _given(part, config, random)
        want = quick.jit(part.function)(part.params, *given.values())
        session = runtime.InferenceSession(tmp_path / "out" / f"{name}.onnx", providers=["CPUExecutionProvider"])
        leaves = {path[-1].key: leaf for path, leaf in jax.tree_util.tree_leaves_with_path(given)}
        assert {node.name for node in session.get_inputs()} == set(leaves)
        made = dict(zip([node.name for node in session.get_outputs()], session.run(None, leaves), strict=True))
        want = want if isinstance(want, dict) else dict(zip(part.outputs, jax.tree.leaves(want), strict=True))
        assert set(made) == set(want)
        for key, value in want.items():
            np.testing.assert_allclose(made[key], value, atol=1e-4, err_msg=f"{name}: {key}")
            assert key == "level" or made[key].std() > 1e-4, f"{name}: {key} says nothing"


def test_without_the_package(release, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jax2onnx", None)
    with pytest.raises(UsageError, match=r"pip install 'vasa_jax\[onnx\]'"):
        onnx_files.write(release, tmp_path / "out")
    assert not (tmp_path / "out").exists()
