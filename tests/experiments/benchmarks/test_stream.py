"""Suite `stream`: a clock that the audio and the models move, and what it says of lips."""

import numpy as np
import pytest

from experiments.benchmarks import stream
from tests.inference.stand_ins import live_face
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.portrait import FaceBox


@pytest.fixture(scope="module")
def look():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))
        return live_face().look(np.full((90, 90, 3), 100, np.uint8))


class Clock:
    """Every look at it takes 5 ms."""

    now = 0.0

    def perf_counter(self) -> float:
        self.now += 0.005
        return self.now

    def process_time(self) -> float:
        return self.now


def test_latency_is_the_models_time_and_the_first_frame_waits_for_its_look_ahead(look, monkeypatch) -> None:
    monkeypatch.setattr(stream, "time", Clock())
    served = stream.Served(live_face(), look, 160, 1, 1)
    found = served.play(np.zeros(640 * 20, np.float32))
    assert found["latency_ms"] == {"p50": 10.0, "p95": 10.0, "p99": 10.0}
    assert found["first_frame_ms"] == 160 + 10
    assert found["motion_ms_p50"] == found["decode_ms_p50"] == 5.0


def test_who_waits_behind_many_is_late(look, monkeypatch) -> None:
    monkeypatch.setattr(stream, "time", Clock())
    audio = np.zeros(640 * 20, np.float32)
    assert "late" not in stream.Served(live_face(), look, 160, 8, 1).play(audio, 0.14)  # 8 windows are 80 ms
    assert stream.Served(live_face(), look, 160, 16, 1).play(audio, 0.14) == {"late": True}


def test_agreement_finds_the_lag() -> None:
    real = np.random.default_rng(0).standard_normal(100)
    later = np.concatenate([np.zeros(2), 0.5 * real])[:100]
    assert stream._agreement(real, real) == {"changes": 1.0, "lag_ms": 0.0, "range": 1.0}
    found = stream._agreement(later, real)
    assert found["lag_ms"] == 80.0 and found["changes"] > 0.98 and 0.4 < found["range"] < 0.6


def test_audio_and_images_leave_together() -> None:
    pytest.importorskip("av")
    assert abs(stream.av_offset(64)) < 5
