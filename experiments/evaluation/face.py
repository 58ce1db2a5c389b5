"""suite=face: each frame of held-out clips decoded from its own latents, the first frame being the source.

Beside the model stand two rows that need none: repeating the first frame (`copy`), and the real frames merely shrunk
to the model's size (`shrunk`), which is the most that any model of this size could keep.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from experiments.evaluation import code_probes, filmstrip, tables
from experiments.evaluation.data import HeldOut, HeldOutClip
from experiments.evaluation.reading import Reader, Reading, landmark_error, read_labels
from vasa_jax.metrics import blinks, bootstrap, identity, image_quality, mouth_changes, regions

_EVERY = 5
"""Of what needs no neighbouring frames, this often one."""
_MEANS = (
    "l1_mouth", "l1_mouth_copy", "l1_eyes", "l1_eyes_copy", "l1_whole", "l1_whole_copy",
    "mouth_changes", "mouth_changes_shrunk", "mouth_amplitude", "mouth_amplitude_shrunk",
    "lid_changes", "lid_changes_shrunk", "found", "identity", "identity_real", "identity_cross",
    "identity_cross_driver", "psnr", "psnr_copy", "ssim", "ssim_copy", "lpips", "lpips_copy", "landmark_error",
    "landmark_error_copy",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class FaceSuite:
    """What the suite needs: the model, who reads images, and (or not) who recognises people and measures LPIPS."""

    model: Any
    reader: Reader
    recogniser: identity.FaceRecogniser | None = None
    lpips: Any = None

    def run(
        self, split: HeldOut, chosen: Sequence[int], show_progress: Any = iter
    ) -> tuple[dict[str, Any], list[np.ndarray]]:
        """Scores the chosen clips of a split.

        Returns:
          (report of the split, one filmstrip of each speaker's first clip).
        """
        rows, strips, seen, portraits, codes, last = [], [], set(), [], [], None
        for index in show_progress(chosen):
            clip = split.clip(index)
            latents, motion = self.model.encode(clip.images[0]), self.model.motion(clip.images)
            made = self.model.decode(latents, motion)
            rows.append(self.score(clip, made))
            if clip.speaker not in seen:
                seen.add(clip.speaker)
                strips.append(filmstrip.filmstrip(clip.images[0], clip.images, made))
            labels = {name: value[::_EVERY] for name, value in clip.labels.items()}
            codes.append(code_probes.ProbedClip(clip.speaker, motion[::_EVERY, 7:], labels))
            if self.recogniser is not None:
                portraits.append((clip.speaker, self._code(clip, clip.images[0], 0)))
                if last is not None and last[0].speaker != clip.speaker:
                    rows[-1] |= self._cross(*last, clip, motion)
                last = clip, latents, motion[0]
        report = tables.by_speaker(rows, reduce)
        report["identity_of_strangers"] = _strangers(portraits)
        report["code"] = code_probes.probe_clips(codes)
        report["clips"] = rows
        return report, strips

    def score(self, clip: HeldOutClip, made: np.ndarray) -> dict[str, Any]:
        """All numbers of one clip; frame 0 is the source and counts in none of the errors."""
        real, points = clip.images[1:] / np.float32(255), clip.labels["landmarks"][1:]
        copied = np.broadcast_to(clip.images[0] / np.float32(255), real.shape)
        row: dict[str, Any] = {"clip": clip.clip_id, "speaker": clip.speaker, "frames": len(clip)}
        for name, value in regions.region_error(made[1:] / np.float32(255), real, points).items():
            row[f"l1_{name}"] = value
        for name, value in regions.region_error(copied, real, points).items():
            row[f"l1_{name}_copy"] = value
        truth = read_labels(clip.labels)
        drawn, shrunk = self.reader.read(made), self.reader.read(clip.images, real=clip.clip_id)
        row["found"] = float(drawn.valid.mean())
        row |= self._quality(clip, made)
        if drawn.points is not None:
            real, first = shrunk.cut(1, len(clip)), shrunk.cut(0, 1)
            row["landmark_error"] = float(np.nanmean(landmark_error(drawn.cut(1, len(clip)), real)))
            row["landmark_error_copy"] = float(np.nanmean(landmark_error(first, real)))
        for suffix, reading in (("", drawn), ("_shrunk", shrunk)):
            row |= {f"{name}{suffix}": value for name, value in follow(reading, truth).items()}
        if self.recogniser is not None:
            row |= self._identity(clip, made)
        return row

    def _identity(self, clip: HeldOutClip, made: np.ndarray) -> dict[str, float]:
        """Cosine to the source image: of decoded frames, and of the real frames of the same moments."""
        source = self._code(clip, clip.images[0], 0)
        at = range(_EVERY, len(clip), _EVERY)
        drawn = [float(identity.cosine(self._code(clip, made[k], k), source)) for k in at]
        real = [float(identity.cosine(self._code(clip, clip.images[k], k), source)) for k in at]
        return {"identity": float(np.mean(drawn)), "identity_real": float(np.mean(real))}

    def _quality(self, clip: HeldOutClip, made: np.ndarray) -> dict[str, float]:
        """PSNR (dB), SSIM and LPIPS against the real frames; *_copy: the first frame in their place."""
        real = clip.images[_EVERY::_EVERY]
        measures = {"psnr": image_quality.psnr, "ssim": image_quality.ssim}
        if self.lpips is not None:
            measures["lpips"] = self.lpips
        row = {}
        for name, measure in measures.items():
            row[name] = float(measure(made[_EVERY::_EVERY], real).mean())
            row[f"{name}_copy"] = float(measure(np.broadcast_to(clip.images[0], real.shape), real).mean())
        return row

    def _cross(
        self, clip: HeldOutClip, latents: Any, home: np.ndarray, driver: HeldOutClip, motion: np.ndarray
    ) -> dict[str, float]:
        """Somebody else moves the person of `clip`: cosine to that person's first frame, and to the driver's frames.

        Where the face is in such an image is told by the source's points, moved as a stiff whole with the pose.
        """
        at = np.arange(_EVERY, len(driver), 2 * _EVERY)
        source = self._code(clip, clip.images[0], 0)
        own, other = [], []
        for image, pose, k in zip(self.model.decode(latents, motion[at]), motion[at, :7], at, strict=True):
            points = move_points(clip.labels["landmarks"][0], home[:7], pose)
            code = self.recogniser.code(identity.aligned_face(image, points))
            own.append(float(identity.cosine(code, source)))
            other.append(float(identity.cosine(code, self._code(driver, driver.images[k], k))))
        return {"identity_cross": float(np.mean(own)), "identity_cross_driver": float(np.mean(other))}

    def _code(self, clip: HeldOutClip, image: np.ndarray, k: int) -> np.ndarray:
        return self.recogniser.code(identity.aligned_face(image, clip.labels["landmarks"][k]))


def move_points(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Points [k, 3] of a head of the pose `start` [7] where a head of the pose `end` has them."""
    turn = [Rotation.from_euler("xyz", pose[:3]).as_matrix() for pose in (start, end)]
    canonical = (points - start[3:6]) @ turn[0] / start[6]
    return canonical @ turn[1].T * end[6] + end[3:6]


def follow(made: Reading, truth: Reading) -> dict[str, Any]:
    """How a reading follows the truth: correlations of changes, and blinks."""
    t = min(len(made.mouth), len(truth.mouth))
    made, truth = made.cut(0, t), truth.cut(0, t)
    both = made.valid & truth.valid
    return {
        "mouth_changes": mouth_changes.change_correlation(made.mouth, truth.mouth, both),
        "mouth_amplitude": mouth_changes.change_amplitude(made.mouth, truth.mouth, both),
        "lid_changes": mouth_changes.change_correlation(made.lids.mean(-1), truth.lids.mean(-1), both),
        "blinks": blinks.match_blinks(blinks.find_blinks(made.lids), blinks.find_blinks(truth.lids)),
    }


def reduce(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means with intervals, the ratio to the ceiling, and sums of blinks."""
    report: dict[str, Any] = {"n": len(rows), "frames": sum(row["frames"] for row in rows)}
    report |= {k: v for k, v in tables.summarise(rows, _MEANS).items() if v["n"]}
    for name in ("mouth_changes", "lid_changes"):
        made, ceiling = ([row[key] for row in rows] for key in (name, f"{name}_shrunk"))
        report[f"{name}_of_ceiling"] = bootstrap.ratio_interval(made, ceiling)
        report[f"{name}_copy"] = 0.0  # a repeated frame follows nothing
    for name in ("mouth", "eyes"):
        of_copy = bootstrap.ratio_interval([r[f"l1_{name}"] for r in rows], [r[f"l1_{name}_copy"] for r in rows])
        report[f"l1_{name}_of_copy"] = of_copy
    if report.get("identity", {"n": 0})["n"]:
        pair = ([row[key] for row in rows] for key in ("identity", "identity_real"))
        report["identity_of_real"] = bootstrap.ratio_interval(*pair)
    for key in ("blinks", "blinks_shrunk"):
        report[key] = {name: sum(row[key][name] for row in rows) for name in ("real", "made", "kept")}
    return report


def _strangers(portraits: Sequence[tuple[str, np.ndarray]]) -> dict[str, Any] | None:
    """Mean cosine between first frames of different speakers: what "somebody else" scores."""
    values = [
        float(identity.cosine(a, b))
        for k, (first, a) in enumerate(portraits)
        for second, b in portraits[k + 1 :]
        if first != second
    ]
    return bootstrap.mean_interval(np.asarray(values)) if values else None


def show(split: str, report: dict[str, Any]) -> None:
    """Prints the split's table: for all, then for each speaker, the model and the two rows that need none."""
    columns = ["", "", "L1 mouth", "L1 eyes", "mouth changes", "of shrunk", "amplitude", "lid changes",
               "blinks real/made/kept", "identity"]  # fmt: skip
    lines = []
    for name, group in {"all": report["all"], **report["speakers"]}.items():

        def mean(key: str, digits: int = 2, group: dict[str, Any] = group) -> str:
            return tables.cell((group.get(key) or {}).get("mean"), digits)

        for row, end in (("model", ""), ("real, shrunk", "_shrunk"), ("first frame", "_copy")):
            error_end = {"_shrunk": None}.get(end, end)
            line = [f"{name} ({group['n']})" if not end else "", row]
            line += ["0" if error_end is None else mean(f"l1_{part}{error_end}", 4) for part in ("mouth", "eyes")]
            if end == "_copy":
                lines.append([*line, "0", "0", "0", "0", f"{group['blinks']['real']}/0/0", "1"])
                continue
            line += [tables.cell(group[f"mouth_changes{end}"]), mean("mouth_changes_of_ceiling") if not end else "1"]
            line += [mean(f"mouth_amplitude{end}"), mean(f"lid_changes{end}")]
            line += ["/".join(str(group[f"blinks{end}"][k]) for k in ("real", "made", "kept"))]
            lines.append([*line, mean("identity" if not end else "identity_real", 3)])
    tables.show(f"{split}: every frame decoded from its own latents, the first frame is the source", columns, lines)
    everyone = report["all"]
    names = ("psnr", "ssim", "lpips", "landmark_error")
    quality = [
        [name, tables.cell(everyone[name]), tables.cell(everyone[f"{name}_copy"])] for name in names if name in everyone
    ]
    tables.show(f"{split}: against the real frames", ["", "model", "first frame"], quality)
    if report["identity_of_strangers"]:
        print(f"  identity: cosine to the first frame; strangers have {tables.cell(report['identity_of_strangers'])}")
    if "identity_cross" in everyone:
        own, driver = (tables.cell(everyone[f"identity_cross{end}"]) for end in ("", "_driver"))
        print(f"  somebody else drives: {own} to the source, {driver} to the driver")
    if code := report["code"]:
        told = f"{code['identity_accuracy']:.3f} of {code['speakers']} speakers (chance {code['identity_chance']:.3f})"
        yaw = f"{code['yaw_explained']:.3f} of the yaw (exact labels {code['yaw_explained_by_labels']:.3f})"
        print(f"  dynamics code: a linear probe tells {told}, {yaw}")
