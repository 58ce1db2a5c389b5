"""Do pose and dynamics come apart? On held-out procedural people, whose every swap has a true image.

A person's portrait is decoded with the pose of one moment and the dynamics of another. What then moves in the image
is read by somebody else than the model, beside the same reading of the true images: what is left there is the
reader's own error. Letters are those of `puppets`: the moment of the pose, then the moment of the face.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from experiments.evaluation import code_probes, tables
from experiments.evaluation.puppets import DRAWS, Act, Drawn
from experiments.evaluation.reading import Reader, Reading, landmark_error
from vasa_jax.metrics import angles, bootstrap, identity, image_quality

KINDS = {"self": "ii", "pose_swapped": "ji", "dynamics_swapped": "ij", "other_driver": "ii"}
"""What is decoded -> its true image."""
_OPEN = 0.5  # nobody sees where an eye looks that is more closed
MOVES = ("pose_by_dynamics", "mouth_by_pose", "gaze_by_pose")
_READ = {"pose_degrees": ("self", "pose_swapped"), "mouth": ("self", "dynamics_swapped"),
         "gaze_degrees": ("self", "dynamics_swapped")}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Scored:
    """One person: rows of numbers, codes for what is told of all together, and images for the eye."""

    rows: list[dict[str, float]]
    codes: dict[str, Float[np.ndarray, "n d"]]
    probed: code_probes.Probed
    portrait: Float[np.ndarray, " c"] | None
    images: UInt8[np.ndarray, "6 s s 3"]


@dataclasses.dataclass(frozen=True)
class SwapSuite:
    """What the suite needs: the model, who reads images, and (or not) who recognises people and measures LPIPS."""

    model: Any
    reader: Reader
    recogniser: identity.FaceRecogniser | None = None
    lpips: Any = None

    def run(self, acts: Iterable[Act]) -> tuple[dict[str, Any], list[UInt8[np.ndarray, "6 s s 3"]]]:
        """Scores everybody.

        Returns:
          (report, for the eye of each person: source, driver, output, a third moment, its pose, its dynamics).
        """
        everybody = [self.score(act) for act in acts]
        rows = [row for scored in everybody for row in scored.rows]
        probed = [scored.probed for scored in everybody]
        ranges = code_probes.ranges(probed)
        report = {"people": len(everybody), "swaps": len(rows), "ranges": ranges, **reduce(rows, ranges)}
        report["code"] = code_probes.probe(probed)
        report["re_encoding"] = _re_encoding([scored.codes for scored in everybody], probed)
        portraits = [scored.portrait for scored in everybody]
        if self.recogniser is not None and len(portraits) > 1:
            pairs = [identity.cosine(a, b) for k, a in enumerate(portraits) for b in portraits[k + 1 :]]
            report["identity"]["strangers"] = float(np.mean(pairs))
        return report, [scored.images for scored in everybody]

    def score(self, act: Act) -> Scored:
        """All of one person."""
        latents = self.model.encode(act.source.images[0])
        images = [drawn.images for drawn in (act.own["ii"], act.own["jj"], act.driver)]
        i, j, driver = np.split(self.model.motion(np.concatenate(images)), 3)
        motions = {
            "self": i,
            "pose_swapped": _mix(j, i),
            "dynamics_swapped": _mix(i, j),
            "other_driver": driver,
        }
        shown = np.concatenate([_mix(j, driver)[:1], _mix(driver, j)[:1]])
        decoded = self.model.decode(latents, np.concatenate([*motions.values(), shown]))
        decoded, shown = decoded[: -len(shown)], decoded[-len(shown) :]
        made = dict(zip(motions, np.split(decoded, len(motions)), strict=True))
        again = dict(zip(motions, np.split(self.model.motion(decoded), len(motions)), strict=True))
        codes = {
            "self": again["self"][:, 7:], "pose_swapped": again["pose_swapped"][:, 7:],
            "other_driver": again["other_driver"][:, 7:], "i": i[:, 7:], "j": j[:, 7:], "driver": driver[:, 7:],
        }  # fmt: skip
        row = self._read(act, made) | self._compare(act, made)
        portrait = None
        if self.recogniser is not None:
            portrait = self._code(act.source, act.source.images[0], 0)
            row |= self._identity(act, made, portrait)
        rows = [{"person": act.name, **{k: float(v[n]) for k, v in row.items()}} for n in range(DRAWS)]
        first = act.source.images, act.driver.images[:1], made["other_driver"][:1], act.own["jj"].images[:1]
        return Scored(rows, codes, code_probes.encode(self.model, act), portrait, np.concatenate([*first, shown]))

    def _read(self, act: Act, made: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What moves, and how far what is read lies from the truth."""
        names = ("ii", "ji", "ij")
        truth = {name: _exact(act.own[name]) for name in names}
        drawn = self._reading({name: act.own[name].images for name in names} | {"s": act.source.images})
        read = self._reading(made)
        shown = {KINDS[kind]: read[kind] for kind in ("self", "pose_swapped", "dynamics_swapped")}
        row = {"found": np.mean([read[kind].valid for kind in made], 0)}
        for suffix, readings in (("", shown), ("_drawn", drawn), ("_truth", truth)):
            row |= {f"{name}{suffix}": value for name, value in _moves(readings, truth).items()}
        source = _exact(act.source)
        for kind, name in KINDS.items():
            errors = _distances(read[kind], truth[name])
            row |= {f"{what}_{kind}": errors[what] for what in _READ}
            if drawn[name].points is not None:
                row[f"landmarks_{kind}"] = landmark_error(read[kind], drawn[name])
                row[f"landmarks_{kind}_copy"] = landmark_error(_repeat(drawn["s"]), drawn[name])
        for what, kinds in _READ.items():
            for kind in kinds:
                row[f"{what}_{kind}_drawn"] = _distances(drawn[KINDS[kind]], truth[KINDS[kind]])[what]
                row[f"{what}_{kind}_copy"] = _distances(_repeat(source), truth[KINDS[kind]])[what]
        return row

    def _reading(self, images: dict[str, np.ndarray]) -> dict[str, Reading]:
        whole, at, out = self.reader.read(np.concatenate(list(images.values()))), 0, {}
        for name, part in images.items():
            out[name] = whole.cut(at, at + len(part))
            at += len(part)
        return out

    def _compare(self, act: Act, made: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Pictures against the true ones; *_copy: the source in their place."""
        row = {}
        for kind, name in KINDS.items():
            real = act.own[name].images
            copied = np.broadcast_to(act.source.images, real.shape)
            measures = {"psnr": image_quality.psnr, "ssim": image_quality.ssim}
            if self.lpips is not None:
                measures["lpips"] = self.lpips
            for measure, function in measures.items():
                row[f"{measure}_{kind}"] = function(made[kind], real)
                row[f"{measure}_{kind}_copy"] = function(copied, real)
        return row

    def _identity(self, act: Act, made: dict[str, np.ndarray], portrait: np.ndarray) -> dict[str, np.ndarray]:
        """Cosine to the source; the true images' beside it."""
        row = {}
        for kind, name in KINDS.items():
            for suffix, images in (("", made[kind]), ("_drawn", act.own[name].images)):
                codes = [self._code(act.own[name], image, k) for k, image in enumerate(images)]
                row[f"identity_{kind}{suffix}"] = np.asarray([identity.cosine(code, portrait) for code in codes])
        return row

    def _code(self, drawn: Drawn, image: np.ndarray, k: int) -> np.ndarray:
        return self.recogniser.code(identity.aligned_face(image, drawn.labels["landmarks"][k]))


def _mix(pose: Float[np.ndarray, "n m"], dynamics: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
    return np.concatenate([pose[:, :7], dynamics[:, 7:]], -1)


def _exact(drawn: Drawn) -> Reading:
    labels = drawn.labels
    there = np.ones(len(drawn.images), bool)
    parts = labels["pose"][:, :3], labels["eyes"], labels["landmarks"]
    return Reading(labels["mouth"][:, 0], labels["lids"], there, *parts)


def _repeat(reading: Reading) -> Reading:
    parts = {field.name: getattr(reading, field.name) for field in dataclasses.fields(reading)}
    return Reading(**{k: None if part is None else np.repeat(part[:1], DRAWS, 0) for k, part in parts.items()})


def _distances(a: Reading, b: Reading) -> dict[str, Float[np.ndarray, " n"]]:
    """Of head rotation (degrees), mouth opening and gaze in the head (degrees); NaN where no face was found."""
    out = {
        "pose_degrees": angles.rotation_error(a.rotation, b.rotation),
        "mouth": np.abs(a.mouth - b.mouth),
        "gaze_degrees": angles.gaze_error(a.eyes, b.eyes),
    }
    out["gaze_degrees"] = np.where(b.lids.mean(-1) < _OPEN, out["gaze_degrees"], np.nan)
    return {name: np.where(a.valid & b.valid, value, np.nan) for name, value in out.items()}


def _moves(readings: dict[str, Reading], truth: dict[str, Reading]) -> dict[str, np.ndarray]:
    """What a change of dynamics alone, and of pose alone, moves; and signed changes, to see whether it obeys."""
    still, turned, changed = (readings[name] for name in ("ii", "ji", "ij"))
    by_dynamics, by_pose = _distances(changed, still), _distances(turned, still)
    # The face is that of moment i in both: an eye that is closed there, or that the swap closes, shows no gaze.
    seen = truth["ii"].lids.mean(-1) < _OPEN
    both = seen & (truth["ij"].lids.mean(-1) < _OPEN)
    found = still.valid & turned.valid & changed.valid
    signed = {
        "yaw_change": turned.rotation[:, 1] - still.rotation[:, 1],
        "mouth_change": changed.mouth - still.mouth,
        "gaze_change": np.where(both, changed.eyes[:, 0] - still.eyes[:, 0], np.nan),
    }
    return {
        "pose_by_dynamics": by_dynamics["pose_degrees"],
        "mouth_by_pose": by_pose["mouth"],
        "gaze_by_pose": np.where(seen, by_pose["gaze_degrees"], np.nan),
        **{name: np.where(found, value, np.nan) for name, value in signed.items()},
    }


def reduce(rows: Sequence[dict[str, Any]], ranges: dict[str, float]) -> dict[str, Any]:
    """Means with intervals over swaps, in groups."""
    report: dict[str, Any] = {"found": tables.summarise(rows, ("found",))["found"]}
    moved = [
        row | {f"{what}_by_pose{end}": row[f"{what}_by_pose{end}"] / ranges[key] for end in ("", "_drawn", "_truth")
               for what, key in (("mouth", "mouth"), ("gaze", "gaze_degrees"))}
        for row in rows
    ]  # fmt: skip
    report["moves"] = tables.summarise(moved, [f"{name}{end}" for name in MOVES for end in ("", "_drawn", "_truth")])
    for name in MOVES:
        seen, noise = ([row[f"{name}{end}"] for row in moved] for end in ("", "_drawn"))
        report["moves"][f"{name}_own"] = bootstrap.excess_interval(seen, noise)
    report["obeys"] = {
        name: {label: _obeys(rows, f"{name}_change{end}", f"{name}_change_truth")
               for label, end in (("model", ""), ("drawn", "_drawn"))}
        for name in ("yaw", "mouth", "gaze")
    }  # fmt: skip
    for group in ("pose_degrees", "mouth", "gaze_degrees", "landmarks", "psnr", "ssim", "lpips", "identity"):
        names = [f"{group}_{kind}{end}" for kind in KINDS for end in ("", "_drawn", "_copy")]
        found = tables.summarise(rows, [name for name in names if name in rows[0]])
        if found:
            report[group] = {name.removeprefix(f"{group}_"): value for name, value in found.items()}
    return report


def _obeys(rows: Sequence[dict[str, Any]], made: str, truth: str) -> dict[str, float]:
    """Correlation of the change that is seen with the change that was asked for, and its size for one asked for."""
    pairs = np.asarray([(row[made], row[truth]) for row in rows], np.float64)
    a, b = pairs[np.isfinite(pairs).all(-1)].T
    if len(a) < 3 or min(a.std(), b.std()) < 1e-9:
        return {"correlation": 0.0, "gain": 0.0, "n": len(a)}
    return {"correlation": float(np.corrcoef(a, b)[0, 1]), "gain": float((a * b).sum() / (b * b).sum()), "n": len(a)}


def _re_encoding(codes: Sequence[dict[str, np.ndarray]], probed: Sequence[code_probes.Probed]) -> dict[str, Any]:
    """Cosine of the dynamics code of a made image to the code that it was made from.

    `centred`: less the mean code, without which any two codes look alike; `another_moment`: of two real images.
    """
    joined = {name: np.concatenate([part[name] for part in codes]) for name in codes[0]}
    middle = np.concatenate([part.codes for part in probed]).mean(0)
    pairs = {"self": ("self", "i"), "pose_swapped": ("pose_swapped", "i"), "other_driver": ("other_driver", "driver"),
             "another_moment": ("i", "j"), "other_person_same_moment": ("driver", "i")}  # fmt: skip
    report = {}
    for name, (a, b) in pairs.items():
        plain, centred = (identity.cosine(joined[a] - c, joined[b] - c) for c in (0.0, middle))
        rows = [{"cosine": x, "centred": y} for x, y in zip(plain, centred, strict=True)]
        report[name] = tables.summarise(rows, ("cosine", "centred"))
    return report
