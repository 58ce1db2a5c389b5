"""Suite `stream`: how late a live face is, how many can be served, and what a short look-ahead costs the lips.

    python -m experiments.benchmark --suite=stream --report=stream.json
    python -m experiments.benchmark --suite=stream --audio=speech.wav --batches=8      # 8 sessions a call, for a GPU

Audio arrives on a clock of its own, a frame's 640 samples every 40 ms; what the models take is measured and moves that
clock on. So nothing sleeps, and a machine too slow for real time shows as latency that grows.

* `latency`: from the moment when the last sample was there that a frame needs, to the image in memory.
* `first_frame_ms`: from the first sample to the first image.
* `load`: seconds of the models for a second of audio; `cpu_load` in processor time, which says more on a busy machine.
* `sessions`: most sessions of which no frame comes later after its audio than the first one did, and 100 ms.
* `lips`: correlation of the changes of the mouth's opening, as the label head reads it off the codes, with those of the
  same recording offline (whole windows, 10 steps); `offline, another seed` is what two performances have in common.
"""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np

import vasa_jax
from vasa_jax import media
from vasa_jax.inference import live
from vasa_jax.inference.running import FRAME, RATE, RunningHearing
from vasa_jax.inference.talking_face import TalkingFace
from vasa_jax.serve.engine import LOOKAHEADS

_ASSETS = Path(vasa_jax.__file__).parent / "assets"
_FRAME_S = 1 / live.FPS
_SLACK = 0.1
_SECONDS = 12
_STEPS = (2, 4, 10)
_LAGS = range(-4, 5)


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Measures the bundled weights."""
    face = TalkingFace.load("bundled")
    look = face.look(_ASSETS / "photo.jpg")
    path = options["audio"] or _ASSETS / "speech.flac"
    audio = np.concatenate(list(media.AudioReader(path).mono()))[: _SECONDS * RATE]
    rows = (options["batches"] or [1])[0]
    report: dict[str, Any] = {"size": look.size, "steps": live.STEPS, "rows": rows, "audio_seconds": len(audio) / RATE}
    report["av_offset_ms"] = av_offset(look.size)
    for lookahead in LOOKAHEADS:
        one = Served(face, look, lookahead, 1, rows)
        one.play(audio[:RATE])  # warm-up
        facts = Served(face, look, lookahead, 1, rows).play(audio)
        report[f"look-ahead {lookahead} ms"] = facts | {"hop": one.sessions[0].hop}
        print(f"look-ahead {lookahead} ms: {facts}", flush=True)
    report["sessions"] = held(face, look, audio, rows)
    report["lips"] = lips(face, look, audio)
    print(report["sessions"], report["lips"], flush=True)
    return report


class Served:
    """Sessions that hear the same audio at once, on a clock that the audio and the models move."""

    def __init__(self, face: Any, look: Any, lookahead: int, count: int, rows: int):
        self.machine = face.machine(rows)
        controls = [live.controls_of(seed, {}) for seed in range(count)]
        self.sessions = [live.LiveSession(self.machine, look, each, lookahead) for each in controls]

    def play(self, audio: np.ndarray, most_late: float | None = None) -> dict[str, Any]:
        """Latencies; ends early, saying so, once a frame is later than `most_late` seconds."""
        clock, first, late, spent = 0.0, None, [], {"motion": [], "decode": []}
        processor = time.process_time()
        for at in range(0, len(audio) - FRAME + 1, FRAME):
            came = (at / FRAME + 1) * _FRAME_S
            clock = max(clock, came)
            for session in self.sessions:
                session.hear(audio[at : at + FRAME])
            while due := [session for session in self.sessions if session.ready][: self.machine.rows]:
                start = time.perf_counter()
                count, moved = self._step(due)
                done = time.perf_counter()
                clock += done - start
                spent["motion"].append(moved - start)
                spent["decode"].append(done - moved)
                first = clock if first is None else first
                late += [clock - came] * count
            if most_late is not None and late and max(late) > most_late:
                return {"late": True}
        facts = {f"p{q}": round(1e3 * float(np.percentile(late, q)), 1) for q in (50, 95, 99)}
        p50 = {f"{name}_ms_p50": round(1e3 * float(np.median(values)), 1) for name, values in spent.items()}
        load = sum(map(sum, spent.values())) / (len(audio) / RATE)
        cores = (time.process_time() - processor) / (len(audio) / RATE)
        loads = {"load": round(load, 3), "cpu_load": round(cores, 3)}
        return {"first_frame_ms": round(1e3 * first, 1), "latency_ms": facts, **loads, **p50}

    def _step(self, due: list[Any]) -> tuple[int, float]:
        scales = [session.scales() for session in due]
        controls = due[0].controls
        answers = self.machine.speak([s.ask() for s in due], scales, controls.steps, controls.sampler)
        moves = [session.take(*answer) for session, answer in zip(due, answers)]
        moved = time.perf_counter()
        parts = self.machine.frames([session.look for session in due], moves, due[0].hop)
        for session, motion, part in zip(due, moves, parts):
            self.machine.finish(session.look, motion, part)
        return len(moves[0]), moved


def held(face: Any, look: Any, audio: np.ndarray, rows: int) -> dict[str, Any]:
    """Sessions without a late frame, at the usual look-ahead."""
    best, audio = 0, audio[: 6 * RATE]
    for count in (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64):
        served = Served(face, look, live.LOOKAHEAD_MS, count, rows)
        if served.play(audio, _FRAME_S + _SLACK).get("late"):
            break
        best = count
    return {"held": best, "slack_ms": 1e3 * _SLACK}


def lips(face: Any, look: Any, audio: np.ndarray) -> dict[str, Any]:
    """What look-ahead and steps cost."""
    frames = len(audio) // FRAME
    hearing = RunningHearing()
    heard = np.concatenate([hearing.frame(part) for part in audio[: frames * FRAME].reshape(-1, FRAME)])

    def opening(**options: Any) -> np.ndarray:
        pieces = face.motion.windows([heard], frames, start=look.start, **options)
        return face.mouth.read(np.concatenate(list(pieces))[:, 7:])

    offline = opening(seed=0)
    rows = {"offline, another seed": opening(seed=1)}
    for lookahead in LOOKAHEADS:
        span, hop = live.frames_of(lookahead)
        for steps in _STEPS if lookahead == live.LOOKAHEAD_MS else (live.STEPS,):
            made = opening(seed=0, steps=steps, hop=hop, lookahead=span - hop)
            rows[f"look-ahead {lookahead} ms, {steps} steps"] = made
    return {name: _agreement(made, offline) for name, made in rows.items()}


def _agreement(made: np.ndarray, offline: np.ndarray) -> dict[str, float]:
    """Best correlation of changes within four frames, at what lag (+: later), and the range beside offline's."""
    a, b = np.diff(made), np.diff(offline)

    def at(lag: int) -> float:
        n = len(a)
        x, y = a[max(lag, 0) : n + min(lag, 0)], b[max(-lag, 0) : n + min(-lag, 0)]
        return float(np.corrcoef(x, y)[0, 1])

    lag = max(_LAGS, key=at)
    reach = float(np.std(made) / np.std(offline))
    return {"changes": round(at(lag), 3), "lag_ms": 40.0 * lag, "range": round(reach, 3)}


def av_offset(size: int) -> float:
    """Milliseconds by which the audio of a flash comes after it in what the WebSocket sends."""
    import av

    from vasa_jax.serve.media import Encoder

    encoder = Encoder(size)
    data = [encoder.header]
    for k in range(20):
        loud = k == 12
        tone = 0.9 * np.sin(0.5 * np.arange(2 * FRAME)) if loud else np.zeros(2 * FRAME)
        data.append(encoder.add([np.full((size, size, 3), 255 * loud, np.uint8)] * 2, tone))
    with av.open(io.BytesIO(b"".join(data))) as container:
        images = [(float(f.time), f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    with av.open(io.BytesIO(b"".join(data))) as container:
        parts = [(float(f.time), f.to_ndarray()[0]) for f in container.decode(audio=0)]
    shown = next(at for at, level in images if level > 128)
    heard = parts[0][0] + np.argmax(np.abs(np.concatenate([part for _, part in parts])) > 0.3) / RATE
    return round(1e3 * (heard - shown), 2)
