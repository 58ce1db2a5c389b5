"""suite=talking_portraits: do anybody's portraits talk, and stay who they are?

Each still says a few seconds of speech, through everything that `vasa-generate` does, to a file. A face tracker, which
knows nothing of the model, reads the decoded file. Beside the stills stand real talking faces, cut and encoded alike
and read by the same tracker, and rows that no luck can beat: the still repeated (it never moves and is always itself),
and the loudness of another recording.
"""

import collections
import dataclasses
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import soundfile
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw

from data_pipelines import schema
from data_pipelines.prepare import measures, tracking
from experiments.evaluation import reading, tables
from experiments.evaluation.stills import GROUPS, RealClip, Still
from experiments.evaluation.verdicts import Target
from vasa_jax import media
from vasa_jax.errors import InputError
from vasa_jax.images import read_image
from vasa_jax.inference import portrait as portraits
from vasa_jax.metrics import blinks, bootstrap, chroma, identity, mouth_changes
from vasa_jax.provenance import badge

GREY_FRAMES = 30
"""Of the grey version of a portrait, from the middle of the piece of speech: colour needs no more."""
REPEATED = 10
"""Frames of the still repeated."""
_TILE, _LABEL, _GAP, _COLUMNS_OF_STILLS = 200, 18, 12, 2
_LOUD_SPAN = 40.0  # dB below the loudest frame, beneath which there is only noise
_MEASURES = ("face", "identity", "identity_worst", "opening", "loudness", "loudness_other", "changes", "changes_other")
TARGETS = (
    Target("frames with a face", "talking/face", ">=", 0.98, "real/face"),
    Target("likeness to the portrait", "talking/identity", ">=", 0.85, "repeated/identity"),
    Target("likeness, the worst portrait", "lowest/identity", ">=", 0.7, "repeated/identity"),
    Target("deviation of mouth opening, of real", "opening_of_real", ">=", 0.8),
    Target("opening follows loudness, of real", "loudness_of_real", ">=", 1.0),
    Target("colour in grey portraits, the worst", "highest/chroma", "<=", 6.0, "highest/chroma_repeated"),
)


@dataclasses.dataclass(frozen=True)
class Performance:
    """A video as it was read: images [t, s, s, 3] of the decoded file."""

    images: UInt8[np.ndarray, "t s s 3"]
    reading: reading.Reading | None


class PortraitSuite:
    """The suite.

    Args:
      face: a `vasa_jax.TalkingFace`.
      tracker: reads the images.
      recogniser: `identity.FaceRecogniser`, or None.
      controls: of `TalkingFace.animate`.
    """

    def __init__(
        self,
        face: Any,
        tracker: tracking.FaceTracker,
        recogniser: identity.FaceRecogniser | None = None,
        controls: dict[str, Any] | None = None,
    ):
        self._face, self._tracker, self._recogniser, self._controls = face, tracker, recogniser, controls or {}

    def run(
        self,
        stills: Sequence[Still],
        speech: Sequence[tuple[str, Float[np.ndarray, " n"]]],
        real: Callable[[int], Iterable[RealClip]] | None = None,
        show_progress: Callable = iter,
    ) -> tuple[dict[str, Any], list[tuple[str, list[np.ndarray]]]]:
        """The report, and for each still what to look at: (caption, five images).

        Args:
          stills: who talks.
          speech: what they say, in turn; at least two pieces.
          real: side of the images -> real clips; None: nothing real is shown beside the stills.
        """
        rows, looks, size = [], [], None
        with tempfile.TemporaryDirectory() as folder:
            self._folder = pathlib.Path(folder)
            for k, still in enumerate(show_progress(stills)):
                (said, audio), (_, other) = (speech[(k + j) % len(speech)] for j in (0, 1))
                row = {"still": still.name, "speech": said, **still.groups}
                try:
                    found, images = self._still(still, audio, other)
                except InputError as error:
                    row |= {"failed": str(error), "face": 0.0}
                else:
                    row |= found
                    size = images[0].shape[0]
                    looks.append((caption(row), images))
                rows.append(row)
            if size is None:
                raise InputError(f"no face was found in any of {len(stills)} portraits; the first: {rows[0]['failed']}")
            others = [self._real(clip) for clip in real(size)] if real else []
        return report(rows, others), looks

    def _still(self, still: Still, audio: np.ndarray, other: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
        image = read_image(still.path)
        made, box = self._perform(image, audio)
        size = made.images.shape[1]
        portrait = portraits.cut(image, box, size)
        code = self._code_of(portrait)
        row = self._measure(made, audio, other, code)
        repeated = self._through_file(np.repeat(portrait[None], REPEATED, 0))
        row |= {f"{name}_repeated": v for name, v in self._measure(repeated, None, None, code).items()}
        # Grey as a television would show it, so that nothing but the model can put colour into the file.
        grey = np.repeat((image @ [0.299, 0.587, 0.114]).round().astype(np.uint8)[..., None], 3, -1)
        start = max(0, (len(audio) // _FRAME - GREY_FRAMES) // 2) * _FRAME
        dull, _ = self._perform(grey, audio[start : start + GREY_FRAMES * _FRAME])
        seen = beside_badge(size)
        row["chroma"] = chroma.highest(dull.images, seen)
        still_grey = self._through_file(portraits.cut(grey, box, size)[None], read=False)
        row["chroma_repeated"] = chroma.highest(still_grey.images, seen)
        shown = [made.images[at] for at in phases(made.reading)]
        return row, [portrait, *shown, dull.images[phases(dull.reading)[-1]]]

    def _perform(self, image: np.ndarray, audio: np.ndarray) -> tuple[Performance, portraits.FaceBox]:
        """The image saying the audio, by way of a file with the badge, and where its face was found."""
        speech, path = self._folder / "speech.wav", self._folder / "talking.mp4"
        soundfile.write(speech, audio, schema.SAMPLE_RATE)
        video = self._face.animate(image, speech, **self._controls)
        video.save(path, credentials=False)
        return self._read(path), portraits.FaceBox(**video.info["face_box"])

    def _real(self, clip: RealClip) -> dict[str, Any]:
        made = self._through_file(clip.images)
        return {"clip": clip.name} | self._measure(made, clip.audio, None, self._code_of(clip.images[0]))

    def _through_file(self, images: np.ndarray, read: bool = True) -> Performance:
        """Pictures as they come out of a file like that of a generated video."""
        path = self._folder / "real.mp4"
        with media.VideoWriter(path) as writer:
            for image in images:
                writer.write(image)
        return self._read(path, read)

    def _read(self, path: pathlib.Path, read: bool = True) -> Performance:
        images = np.stack(list(media.VideoReader(path)))
        if not read:
            return Performance(images, None)
        return Performance(images, self._reading(images))

    def _reading(self, images: np.ndarray) -> reading.Reading:
        return reading.read_track(self._tracker.track("portrait", images), images.shape[1])

    def _code_of(self, image: np.ndarray) -> np.ndarray | None:
        """Of the face in an image; None without a network, or where the tracker finds no face."""
        found = self._reading(image[None])
        return self._codes(image[None], found)[0] if self._recogniser and found.valid[0] else None

    def _codes(self, images: np.ndarray, found: reading.Reading) -> Float[np.ndarray, "n d"]:
        known = np.flatnonzero(found.valid)
        aligned = (identity.aligned_face(images[k], found.points[k], nose=True) for k in known)
        return np.stack([self._recogniser.code(face) for face in aligned])

    def _measure(
        self, made: Performance, audio: np.ndarray | None, other: np.ndarray | None, code: np.ndarray | None
    ) -> dict[str, Any]:
        """Numbers of one video. Without an audio, or another's, those that ask for it are left out."""
        found = made.reading
        numbers: dict[str, Any] = {"face": float(found.valid.mean())}
        if not found.valid.any():
            return numbers
        numbers["opening"] = float(found.mouth[found.valid].std())
        if code is not None:
            likeness = identity.cosine(self._codes(made.images, found), code)
            numbers |= {"identity": float(likeness.mean()), "identity_worst": float(likeness.min())}
        if audio is None:
            return numbers
        numbers |= {"blinks": len(blinks.find_blinks(found.lids)), "frames": len(found.valid)}
        for suffix, heard in (("", audio), ("_other", other)):
            if heard is not None:
                numbers |= {f"{name}{suffix}": value for name, value in follows(found, heard).items()}
        return numbers


_FRAME = schema.SAMPLES_PER_FRAME


def follows(found: reading.Reading, audio: Float[np.ndarray, " n"]) -> dict[str, float]:
    """How the mouth's opening goes with the loudness in decibels: levels at lag 0; changes, the best of five lags."""
    level = measures.loudness(audio[: len(audio) // _FRAME * _FRAME])
    level = np.maximum(level, level.max() - _LOUD_SPAN)
    t = min(len(level), len(found.mouth))
    tracks = found.mouth[:t], level[:t], found.valid[:t]
    return {
        "loudness": mouth_changes.level_correlation(*tracks, max_lag=0),
        "changes": mouth_changes.change_correlation(*tracks),
    }


def phases(found: reading.Reading) -> tuple[int, int, int]:
    """Frames in which the mouth is least open, half way, and most open."""
    opening = np.where(found.valid, found.mouth, np.nan) if found.valid.any() else found.mouth
    least, most = int(np.nanargmin(opening)), int(np.nanargmax(opening))
    half = int(np.nanargmin(np.abs(opening - (opening[least] + opening[most]) / 2)))
    return least, half, most


def beside_badge(size: int) -> Bool[np.ndarray, "s s"]:
    """Pixels that the badge does not touch; it reaches a block of the codec's chroma further than it is drawn."""
    rows, columns, *_ = badge.mask(size, size)
    seen = np.ones((size, size), bool)
    seen[: rows.stop + 8, columns.start - 8 :] = False
    return seen


def contact_sheet(
    looks: Sequence[tuple[str, Sequence[UInt8[np.ndarray, "s s 3"]]]],
) -> UInt8[np.ndarray, "h w 3"]:
    """Two stills a row: the portrait, its mouth closed, half open and open, and open in the grey version."""
    strips = []
    for text, tiles_of in looks:
        tiles = [Image.fromarray(image).resize((_TILE, _TILE), Image.Resampling.LANCZOS) for image in tiles_of]
        strip = Image.new("RGB", (_TILE * len(tiles) + _GAP, _TILE + _LABEL), "white")
        for place, tile in enumerate(tiles):
            strip.paste(tile, (_TILE * place, 0))
        ImageDraw.Draw(strip).text((4, _TILE + 3), text, fill=(40, 40, 40))
        strips.append(np.asarray(strip))
    strips += [np.full_like(strips[0], 255)] * (-len(strips) % _COLUMNS_OF_STILLS)
    places = range(0, len(strips), _COLUMNS_OF_STILLS)
    return np.concatenate([np.concatenate(strips[k : k + _COLUMNS_OF_STILLS], axis=1) for k in places])


def caption(row: dict[str, Any]) -> str:
    """One line under a still's images."""
    parts = [row["still"], f"opening {row.get('opening', np.nan):.3f}", f"likeness {row.get('identity', np.nan):.2f}"]
    return ", ".join([*parts, f"grey chroma {row['chroma']:.0f}"])


def report(rows: Sequence[dict[str, Any]], real: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of each still and real clip to the report."""
    result: dict[str, Any] = {"n": len(rows), "talking": _summary(rows), "real": _summary(real)}
    result["repeated"] = {
        name: bootstrap.mean_interval([row.get(f"{name}_repeated", np.nan) for row in rows])
        for name in ("face", "identity", "opening", "chroma")
    }
    for name in ("opening", "loudness"):
        made, true = (result[who][name]["mean"] for who in ("talking", "real"))
        result[f"{name}_of_real"] = made / true if made is not None and true else None
    result["lowest"] = {n: _extreme(rows, n, min) for n in ("face", "identity", "identity_worst", "opening")}
    result["highest"] = {n: _extreme(rows, n, max) for n in ("chroma", "chroma_repeated")}
    result["groups"] = {}
    for group in GROUPS:
        members = collections.defaultdict(list)
        for row in rows:
            members[row[group]].append(row)
        result["groups"][group] = {name: _summary(some) for name, some in sorted(members.items())}
    return result | {"portraits": list(rows), "real_clips": list(real)}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    numbers = tables.summarise(rows, (*_MEASURES, "chroma"))
    count, frames = (sum(row.get(name, 0) for row in rows) for name in ("blinks", "frames"))
    return numbers | {"blinks_per_minute": blinks.blinks_per_minute(count, frames), "n": len(rows)}


def _extreme(rows: Sequence[dict[str, Any]], name: str, choose: Callable) -> float | None:
    values = [row[name] for row in rows if np.isfinite(row.get(name, np.nan))]
    return choose(values) if values else None


_COLUMNS = ("face", "identity", "opening", "loudness", "changes", "blinks_per_minute", "chroma")
_TITLES = ("face", "likeness", "opening", "loudness", "changes", "blinks/min", "grey chroma")


def show(result: dict[str, Any]) -> None:
    """Prints the tables."""

    def line(name: str, entry: dict[str, Any]) -> list[str]:
        return [name, *(tables.cell(_mean(entry.get(column)), 3) for column in _COLUMNS)]

    other = {"loudness": result["talking"]["loudness_other"], "changes": result["talking"]["changes_other"]}
    lines = [line("talking", result["talking"]), line("real faces", result["real"])]
    lines += [line("still repeated", result["repeated"]), line("another's loudness", other)]
    for group, entries in result["groups"].items():
        lines += [line(f"{group} {name} ({entry['n']})", entry) for name, entry in entries.items()]
    tables.show(f"talking portraits (n={result['n']})", ["", *_TITLES], lines)


def _mean(value: Any) -> float | None:
    return value["mean"] if isinstance(value, dict) else value
