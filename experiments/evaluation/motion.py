"""suite=motion: does speech drive the mouth, in held-out sentences of a speaker?

Every track of mouth opening is scored against the real video of the sentence, changes first. Rows that need no motion
model stand beside it: another real sentence, the speaker's mean track, linear regression from log-mel, and the real
video re-encoded through the face model, which is the ceiling.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines import schema
from experiments.evaluation import tables, talking_heads
from experiments.evaluation.data import HeldOut, HeldOutClip
from experiments.evaluation.reading import Reader, Reading, read_labels, read_motion
from vasa_jax.metrics import blinks, bootstrap, motion_statistics, mouth_changes, silence, speech_baseline
from vasa_jax.models.audio import log_mel
from vasa_jax.training.motion_task import silent_frames

SILENCE = 25
"""Frames of silence put after every sentence."""
_TRAIN_CLIPS = 233
"""For the baselines; as many as the linear regression that is quoted in the project's issues learned from."""

_MEASURES = {
    "changes": mouth_changes.change_correlation,
    "levels": mouth_changes.level_correlation,
    "amplitude": mouth_changes.change_amplitude,
}
Generate = Callable[[Float[np.ndarray, " n"], int, int], Float[np.ndarray, "t m"]]
"""(audio, frames, seed) -> motion."""


@dataclasses.dataclass(frozen=True)
class Sentence:
    """What one sentence came to."""

    clip_id: str
    speaker: str
    real: Reading
    audio: Float[np.ndarray, " n"]
    encoded: Float[np.ndarray, "t m"]
    generated: Float[np.ndarray, "t m"]
    second: Float[np.ndarray, "t m"]
    made: Reading
    again: Reading
    shrunk: Reading


@dataclasses.dataclass(frozen=True)
class Baselines:
    """What needs no motion model: the speaker's mean track, and linear regression from speech."""

    mean_track: Float[np.ndarray, " t"]
    ridge: speech_baseline.RidgeRegression
    clips: int

    @classmethod
    def fit(cls, train: HeldOut, speaker: str) -> "Baselines":
        """From the speaker's sentences in a training split, or those of its main speaker for one who is not in it."""
        clips = list(train.tracks(speaker, _TRAIN_CLIPS)) or list(train.tracks(train.main_speaker(), _TRAIN_CLIPS))
        tracks = [clip.labels["mouth"][:, 0] for clip in clips]
        longest = max(map(len, tracks))
        held = np.stack([np.pad(track, (0, longest - len(track)), mode="edge") for track in tracks])
        features = [speech_baseline.speech_features(clip.audio) for clip in clips]
        return cls(held.mean(0), speech_baseline.fit_ridge(features, tracks), len(clips))


@dataclasses.dataclass(frozen=True)
class MotionSuite:
    """The models; `reader` reads decoded images, None reads the latents without decoding."""

    face: Any
    generate: Generate
    reader: Reader | None
    seed: int = 0

    def run(self, split: HeldOut, train: HeldOut, chosen: Sequence[int], show_progress: Any = iter) -> dict[str, Any]:
        """Scores the chosen sentences of a split; baselines learn from `train`."""
        sentences = [self.perform(split.clip(index)) for index in show_progress(chosen)]
        speakers = sorted({sentence.speaker for sentence in sentences})
        baselines = {speaker: Baselines.fit(train, speaker) for speaker in speakers}
        rows = [self._row(k, sentences, baselines) for k in range(len(sentences))]
        report = {"n": len(sentences), "mouth": mouth_table(rows), "silence": _silence(rows)}
        report |= {"blinks": _blinks(sentences), "seeds": _seeds(rows)}
        cut = [s.generated[: len(s.encoded)] for s in sentences]
        report["alive"] = talking_heads.liveliness(cut, [s.encoded for s in sentences])
        report["movement"] = report["alive"]["movement"]
        report["baseline_clips"] = {speaker: baseline.clips for speaker, baseline in baselines.items()}
        report["clips"] = rows
        return report

    def perform(self, clip: HeldOutClip) -> Sentence:
        """Generates (twice), re-encodes and reads one sentence."""
        t = len(clip)
        audio = np.concatenate([clip.audio, np.zeros(SILENCE * schema.SAMPLES_PER_FRAME, np.float32)])
        encoded = self.face.motion(clip.images)
        generated = self.generate(audio, t + SILENCE, self.seed)
        second = self.generate(audio, t + SILENCE, self.seed + 1)
        if self.reader is None:
            made, again = read_motion(self.face, generated), read_motion(self.face, encoded)
            shrunk = again
        else:
            latents = self.face.encode(clip.images[0])
            made = self.reader.read(self.face.decode(latents, generated))
            again = self.reader.read(self.face.decode(latents, encoded))
            shrunk = self.reader.read(clip.images, real=clip.clip_id)
        truth = read_labels(clip.labels)
        return Sentence(clip.clip_id, clip.speaker, truth, clip.audio, encoded, generated, second, made, again, shrunk)

    def _row(self, k: int, sentences: Sequence[Sentence], baselines: dict[str, Baselines]) -> dict[str, Any]:
        own, baseline = sentences[k], baselines[sentences[k].speaker]
        same = [s for s in sentences if s.speaker == own.speaker]
        other = same[(same.index(own) + 1) % len(same)]  # the motion made for it is what its audio gives
        tracks: dict[str, Reading] = {"generated": own.made, "re-encoded real video": own.again}
        if self.reader is not None:
            tracks["real video shrunk"] = own.shrunk
        if other is not own:
            tracks["wrong audio"], tracks["another real sentence"] = other.made, other.real
            tracks["ridge, wrong audio"] = _ridge(baseline, other)
        tracks["mean track"] = _track(baseline.mean_track)
        tracks["ridge from log-mel"] = _ridge(baseline, own)
        row: dict[str, Any] = {"clip": own.clip_id, "speaker": own.speaker, "frames": len(own.real.mouth)}
        for kind, measure in _MEASURES.items():
            row[kind] = {name: _follow(measure, reading, own.real) for name, reading in tracks.items()}
        t = len(own.real.mouth)
        spoken, after = np.zeros(t + SILENCE, bool), np.arange(t + SILENCE) >= t
        spoken[:t] = ~pauses(own.audio)[:t]
        row["silence"] = silence.opening_in_silence(own.made.mouth, spoken, after)
        row["silence_real"] = silence.opening_in_silence(own.real.mouth, spoken[:t], ~spoken[:t])
        row["seeds"] = motion_statistics.head_difference(own.generated[:t, :3], own.second[:t, :3])
        row["seeds_real"] = {}
        if other is not own:
            row["seeds_real"] = motion_statistics.head_difference(own.encoded[:, :3], other.encoded[:, :3])
        return row


def pauses(audio: Float[np.ndarray, " n"]) -> np.ndarray:
    """Frames of a recording in which nothing is said, without those next to speech."""
    power = log_mel.mel_power(np.asarray(audio, np.float32), speech_baseline.BANDS)
    return np.asarray(silent_frames(power, log_mel.speech_level(power)))


def _track(mouth: Float[np.ndarray, " t"]) -> Reading:
    return Reading(mouth, np.zeros((len(mouth), 2)), np.ones(len(mouth), bool))


def _ridge(baseline: Baselines, sentence: Sentence) -> Reading:
    return _track(baseline.ridge(speech_baseline.speech_features(sentence.audio)))


def _follow(correlate: Callable[..., float], made: Reading, real: Reading) -> float:
    t = min(len(made.mouth), len(real.mouth))
    made, real = made.cut(0, t), real.cut(0, t)
    return correlate(made.mouth, real.mouth, made.valid & real.valid)


def mouth_table(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Row name -> kind of _MEASURES -> mean and interval; the generated row also as a share of the ceiling."""
    names = list(dict.fromkeys(name for row in rows for name in row["changes"]))
    table = {
        name: {kind: bootstrap.mean_interval([r[kind].get(name, np.nan) for r in rows]) for kind in _MEASURES}
        for name in names
    }
    made, ceiling = ([r["changes"][name] for r in rows] for name in ("generated", "re-encoded real video"))
    table["generated"]["of_ceiling"] = bootstrap.ratio_interval(made, ceiling)
    return table


def _silence(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        kind: tables.summarise([row[key] for row in rows], ("speech", "silence", "ratio"))
        for kind, key in (("generated", "silence"), ("real", "silence_real"))
    }


def _seeds(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        kind: tables.summarise([row[key] for row in rows], ("degrees", "correlation"))
        for kind, key in (("two seeds", "seeds"), ("two real sentences", "seeds_real"))
    }


def _blinks(sentences: Sequence[Sentence]) -> dict[str, Any]:
    """Blinks per minute in generated, real and re-encoded sentences."""
    report = {}
    for name, readings in (
        ("generated", [s.made for s in sentences]),
        ("real", [s.real for s in sentences]),
        ("re-encoded", [s.again for s in sentences]),
    ):
        count, frames = (sum(x) for x in zip(*((len(blinks.find_blinks(r.lids)), len(r.lids)) for r in readings)))
        report[name] = {"count": count, "frames": frames, "per_minute": blinks.blinks_per_minute(count, frames)}
    return report


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    lines = [
        [name, tables.cell(entry["changes"]), tables.cell(entry["levels"]), tables.cell(entry["amplitude"]["mean"], 2)]
        for name, entry in sorted(report["mouth"].items(), key=lambda item: -(item[1]["changes"]["mean"] or 0))
    ]
    tables.show(
        f"mouth opening against the real video (n={report['n']})", ["track", "changes", "levels", "amplitude"], lines
    )
    print(f"  generated, share of the ceiling: {tables.cell(report['mouth']['generated']['of_ceiling'])}")
    lines = [[k, *(tables.cell(v[n], 4) for n in ("speech", "silence", "ratio"))] for k, v in report["silence"].items()]
    tables.show("mouth opening (share of face height)", ["", "in speech", "in silence", "ratio"], lines)
    lines = [[k, *(tables.cell(v[n], 2) for n in ("degrees", "correlation"))] for k, v in report["seeds"].items()]
    tables.show("head motion of", ["", "apart, degrees", "correlation of changes"], lines)
    lines = [[k, str(v["count"]), tables.cell(v["per_minute"], 1)] for k, v in report["blinks"].items()]
    tables.show("blinks", ["", "count", "per minute"], lines)
    parts = [f"{k} {tables.cell(v, 2)}" for k, v in report["movement"].items() if k != "per_value"]
    print("\nmovement within clips, generated / real: " + ", ".join(parts))
