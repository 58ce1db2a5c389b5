"""The motion benchmark on its smallest configuration: that it counts and compares the right things."""

import jax
import pytest

from experiments.benchmarks import motion
from vasa_jax.errors import InputError
from vasa_jax.models.motion_transformer import MotionConfig

SIZE = {"motion_dim": 9, "width": 16, "depth": 1, "heads": 2, "window": 12, "context": 4, "lookahead": 2, "bands": 8}


def test_both_layouts_beside_the_peak(monkeypatch):
    monkeypatch.setattr(motion, "motion_config", lambda name: MotionConfig(audio_blocks=1, **SIZE))
    monkeypatch.setattr(motion.decode, "_SIDE", {"cpu": 64})
    before = jax.config.jax_compilation_cache_dir
    options = {"configs": ["made"], "denoise": [2], "rounds": 3, "dtype": None}
    report = motion.run(options)
    a, b = report["made A 2"], report["made B 2"]
    assert (a["tokens"], b["tokens"]) == (36, 20)
    assert a["video_seconds_a_window"] == pytest.approx(0.4)
    assert a["ms_for_1_s_of_video"] == pytest.approx(a["call"]["p50_ms"] / 0.4, rel=0.01)
    assert {"share_p50", "cpu_share_p50"} <= a.keys() and "layout_b_speed" in a and "layout_b_speed" not in b
    assert all(times["compile_s"] > 0 and times["from_cache_s"] > 0 for times in (a["compile"], b["compile"]))
    assert jax.config.jax_compilation_cache_dir == before


def test_an_unknown_configuration():
    with pytest.raises(InputError, match="absent.py"):
        motion.Window("absent", "A", 2, "float32")
