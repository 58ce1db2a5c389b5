"""The motion suite's part on procedural heads, of which everything is known: sounds, lids, gaze, distance, feelings.

Generated motion is read by the face model's label head, without images. What that reading costs stands beside every
number: `re-encoded` is the true video through the face model.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines import schema
from data_pipelines.synthetic import phonemes
from experiments.evaluation.data import HeldOut, HeldOutClip
from experiments.evaluation.synthetic import DistanceScale
from vasa_jax.metrics import angles, blinks, bootstrap, motion_statistics, mouth_changes, ridge, speech_baseline

VISEMES = {
    "silence": ("sil",),
    "lips closed": ("m", "b", "p"),
    "lip to teeth": ("f", "v"),
    "rounded": ("uw", "uh", "w", "ao", "r", "er", "sh", "zh"),
    "spread": ("iy", "ih", "y", "eh", "s", "z"),
    "open": ("aa", "ae", "ah"),
    "tongue": ("t", "d", "n", "l", "th", "dh"),
    "back": ("k", "g", "ng", "hh", "ax"),
}
"""Groups of sounds that look alike."""
GAZES = ((0.3, 0.0), (-0.3, 0.0), (0.0, 0.15), (0.0, -0.15))
DISTANCES = (-1.0, 1.0)
FEELINGS = ("happiness", "anger", "sadness", "surprise")
STRENGTH = 0.8
_PROBE_PENALTY = 0.03
TRACKS = "generated", "re-encoded", "wrong audio", "ridge from log-mel"


@dataclasses.dataclass(frozen=True)
class HeadsSuite:
    """The face model, the motion model and how they were taught.

    Attributes:
      distance: what the distance condition is standardised with.
      feelings: linear probe of the emotions from a clip's mean dynamics code (`learn_feelings`).
      mouth: regression of mouth opening from speech, learned from training heads.
      how: arguments of `MotionGenerator.windows`.
    """

    face: Any
    motion: Any
    distance: DistanceScale
    feelings: ridge.RidgeRegression
    mouth: ridge.RidgeRegression
    how: dict[str, Any]

    def run(self, split: HeldOut, chosen: Sequence[int], show_progress: Any = iter) -> dict[str, Any]:
        """Scores the chosen clips."""
        clips = [split.clip(index) for index in chosen]
        encoded = [self.face.motion(clip.images) for clip in clips]
        made, asked = [], []
        for k, clip in enumerate(show_progress(clips)):
            made.append(self._speak(clip, **self._truth(clip)))
            asked.append(self._ask(k, clip))
        rows = [self._row(k, clips, encoded, made) for k in range(len(clips))]
        report: dict[str, Any] = {"n": len(clips), "mouth": _mouth(rows), "visemes": _visemes(clips, rows)}
        report |= {"asked": self._obeyed(asked), "alive": _alive(clips, encoded, made, self.face)}
        report["feelings_of_real_video"] = self._probe_quality(clips, encoded)
        return report

    def _truth(self, clip: HeldOutClip) -> dict[str, Any]:
        """What the clip's own conditions are."""
        level = float(clip.labels["distance"].mean())
        return {
            "gaze": angles.mean_gaze(clip.labels["gaze"]),
            "distance": (level - self.distance.mean) / self.distance.std,
            "emotion": clip.labels["emotion"].mean(0),
        }

    def _speak(self, clip: HeldOutClip, **asked: Any) -> Float[np.ndarray, "t m"]:
        return np.concatenate(list(self.motion.windows(iter([clip.audio]), len(clip), **self.how | asked)))

    def _row(
        self, k: int, clips: Sequence[HeldOutClip], encoded: Sequence[np.ndarray], made: Sequence[np.ndarray]
    ) -> dict[str, Float[np.ndarray, " t"]]:
        """Tracks of mouth opening by name, and the truth."""
        other = made[(k + 1) % len(made)]
        opening = {name: self.face.labels(m)["mouth"][:, 0] for name, m in zip(TRACKS, (made[k], encoded[k], other))}
        opening["ridge from log-mel"] = self.mouth(speech_baseline.speech_features(clips[k].audio))
        return opening | {"truth": clips[k].labels["mouth"][:, 0]}

    def _ask(self, k: int, clip: HeldOutClip) -> dict[str, Any]:
        """What comes of a gaze, a distance and every feeling that is asked for, all else being as it is at rest."""
        gaze, distance = GAZES[k % len(GAZES)], DISTANCES[k % len(DISTANCES)]
        guided = dict(self.how.get("guidance", {"audio": 0.5, "gaze": 1.0}))
        looking = self._speak(clip, gaze=gaze, distance=distance)
        near = self._speak(clip, gaze=gaze, distance=distance, guidance=guided | {"distance": 1.0})
        found = angles.mean_gaze(angles.camera_gaze(self.face.labels(looking)["eyes"], looking[:, :3]))
        report = {"gaze": (gaze, found), "distance": (self._scale(distance), _log_scale(looking))}
        report |= {"distance, guided": (self._scale(distance), _log_scale(near))}
        rest = self._feeling(self._speak(clip))
        for name in FEELINGS:
            emotion = np.zeros(8, np.float32)
            emotion[schema.EMOTIONS.index(name)] = STRENGTH
            report[name] = self._feeling(self._speak(clip, emotion=emotion)) - rest
        return report

    def _scale(self, distance: float) -> float:
        return distance * self.distance.std + self.distance.mean

    def _feeling(self, motion: Float[np.ndarray, "t m"]) -> Float[np.ndarray, " 8"]:
        return self.feelings(motion[:, 7:].mean(0)[None])[0]

    def _obeyed(self, asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Errors of gaze and distance, and how much of each feeling came, in what was asked for."""
        report: dict[str, Any] = {}
        wanted, found = (np.asarray([row["gaze"][k] for row in asked]) for k in (0, 1))
        report["gaze_degrees"] = bootstrap.mean_interval(angles.gaze_error(found, wanted))
        report["gaze_degrees_ignored"] = bootstrap.mean_interval(angles.gaze_error(np.zeros_like(wanted), wanted))
        report["gaze_gain"] = float((found * wanted).sum() / np.square(wanted).sum())
        for name in ("distance", "distance, guided"):
            errors = np.asarray([found - wanted for wanted, found in (row[name] for row in asked)])
            wishes = np.asarray([row[name][0] for row in asked])
            report[name] = {
                "log_scale": bootstrap.mean_interval(np.abs(errors)),
                "of_range": bootstrap.mean_interval(np.abs(errors) / (2 * 1.645 * self.distance.std)),
                "gain": float(np.polyfit(wishes, wishes + errors, 1)[0]) if np.ptp(wishes) > 0 else float("nan"),
            }
        for name in FEELINGS:
            came = np.asarray([row[name][schema.EMOTIONS.index(name)] for row in asked])
            report[name] = {"gain": bootstrap.mean_interval(came / STRENGTH), "right_sign": float((came > 0).mean())}
        return report

    def _probe_quality(self, clips: Sequence[HeldOutClip], encoded: Sequence[np.ndarray]) -> dict[str, float]:
        """Correlation of the probe with the truth in real video, per feeling; NaN where it never occurs."""
        told = np.asarray([clip.labels["emotion"].mean(0) for clip in clips])
        read = np.asarray([self._feeling(motion) for motion in encoded])
        at = {name: schema.EMOTIONS.index(name) for name in FEELINGS}
        return {name: mouth_changes.correlation(read[:, k], told[:, k]) for name, k in at.items()}


def _log_scale(motion: Float[np.ndarray, "t m"]) -> float:
    return float(np.log(np.maximum(motion[:, 6], 1e-3)).mean())


def learn_feelings(train: HeldOut, face: Any, count: int = 240, every: int = 15) -> ridge.RidgeRegression:
    """Emotions from the mean dynamics code of a clip, by some frames of each of `count` training clips."""
    codes, told = [], []
    for index in train.choose(count):
        clip = train.clip(index, every)
        codes.append(face.motion(clip.images)[:, 7:].mean(0))
        told.append(clip.labels["emotion"].mean(0))
    return ridge.fit(np.asarray(codes), np.asarray(told), _PROBE_PENALTY)


def learn_mouth(train: HeldOut, count: int = 120) -> ridge.RidgeRegression:
    """Mouth opening from speech, by `count` training clips."""
    clips = [clip for clip, _ in zip(train.tracks(), range(count))]
    features = [speech_baseline.speech_features(clip.audio) for clip in clips]
    return speech_baseline.fit_ridge(features, [clip.labels["mouth"][:, 0] for clip in clips])


def _mouth(rows: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Track -> correlation with the truth at lag 0, of the changes at the best lag, and mean error of the opening."""
    report = {}
    for name in TRACKS:
        pairs = [(row[name][: len(row["truth"])], row["truth"]) for row in rows]
        report[name] = {
            "correlation": bootstrap.mean_interval([mouth_changes.correlation(a, b) for a, b in pairs]),
            "changes": bootstrap.mean_interval([mouth_changes.change_correlation(a, b) for a, b in pairs]),
            "error": bootstrap.mean_interval([np.abs(a - b[: len(a)]).mean() for a, b in pairs]),
        }
    return report


def _visemes(clips: Sequence[HeldOutClip], rows: Sequence[dict[str, np.ndarray]]) -> dict[str, Any]:
    """Viseme -> frames, mean true opening, and per track the mean opening and the mean absolute error."""
    group = np.zeros(len(phonemes.NAMES), int)
    for k, names in enumerate(VISEMES.values()):
        group[[phonemes.INDEX[name] for name in names]] = k
    length = [min(map(len, row.values())) for row in rows]
    said = np.concatenate([group[clip.labels["phonemes"][:n]] for clip, n in zip(clips, length)])
    joined = {name: np.concatenate([row[name][:n] for row, n in zip(rows, length)]) for name in rows[0]}
    report = {}
    for k, viseme in enumerate(VISEMES):
        here = said == k
        report[viseme] = {"frames": int(here.sum()), "truth": float(np.mean(joined["truth"][here]))}
        for name in TRACKS:
            error = np.abs(joined[name] - joined["truth"])[here]
            report[viseme][name] = {"opening": float(joined[name][here].mean()), "error": float(error.mean())}
    return report


def _alive(
    clips: Sequence[HeldOutClip], encoded: Sequence[np.ndarray], made: Sequence[np.ndarray], face: Any
) -> dict[str, Any]:
    """Blinks, spectra, range and spread of generated motion beside the encoded truth's."""
    frames = sum(map(len, clips))

    def rate(lids: Sequence[np.ndarray]) -> float:
        return blinks.blinks_per_minute(sum(len(blinks.find_blinks(x)) for x in lids), frames)

    read = {name: [np.clip(face.labels(m)["lids"], 0, 1) for m in all_] for name, all_ in
            (("generated", made), ("re-encoded", encoded))}  # fmt: skip
    report = {"blinks_per_minute": {name: rate(lids) for name, lids in read.items()}}
    report["blinks_per_minute"]["truth"] = rate([clip.labels["lids"] for clip in clips])
    return report | liveliness(made, encoded)


def liveliness(made: Sequence[Float[np.ndarray, "t m"]], real: Sequence[Float[np.ndarray, "t m"]]) -> dict[str, Any]:
    """Power of velocity and acceleration by band, generated over real; degrees the head covers; spread per value."""
    report: dict[str, Any] = {"bands_hz": motion_statistics.BANDS}
    for name, order in (("velocity", 1), ("acceleration", 2)):
        above, below = (motion_statistics.spectra(clips, order) for clips in (made, real))
        report[name] = {
            part: above[:, at].sum(-1) / np.maximum(below[:, at].sum(-1), 1e-12)
            for part, at in (("rotation", slice(0, 3)), ("dynamics", slice(7, None)))
        }
    report["range_degrees"] = {n: motion_statistics.pose_range(c) for n, c in (("generated", made), ("real", real))}
    report["movement"] = motion_statistics.movement_summary(made, real)
    return report
