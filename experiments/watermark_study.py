"""How well the invisible watermark survives, and how often it is seen where it is not.

    python -m experiments.watermark_study --videos=data/grid --most=200 --report=experiments/results/watermark.json

Makes videos of the portraits that the project owns, marks them, attacks them in a dozen ways, and looks for the mark.
`--videos` and `--photographs` are folders of real ones, in which nothing may be found: all are looked at as they are,
and `--searched` of each at all crops and scales as well, which takes a hundred times as long.
"""

import io
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from experiments.common import app
from vasa_jax.errors import InputError

KEY = 0x2F6A91C4
_ASSETS = Path(__file__).parents[1] / "vasa_jax/assets"
_VIDEOS = (".mp4", ".mpg", ".mov", ".webm", ".mkv")
_IMAGES = (".jpg", ".jpeg", ".png", ".webp")
_CLIPS = (("portrait.jpg", 256), ("photo.jpg", 256), ("painting.jpg", 512), ("photo.jpg", 512))


def define_flags() -> None:
    """Here and not at import, so that the attacks can be imported beside other commands."""
    flags.DEFINE_string("videos", None, "Folder of real videos, searched for false positives.")
    flags.DEFINE_string("photographs", None, "Folder of real photographs, each swayed in the mark's own time.")
    flags.DEFINE_integer("most", 200, "Of either, at most so many, evenly spread over their sorted names.")
    flags.DEFINE_integer("searched", 200, "Of these, at most so many at all crops and scales.")
    flags.DEFINE_integer("frames", 3000, "Of a real video, at most so many frames; of a photograph 50.")
    flags.DEFINE_bool("survival", True, "Make, mark and attack videos.")
    flags.DEFINE_float("seconds", 4.0, "Length of the videos made.")
    flags.DEFINE_integer("largest", 512, "Of these, at most so many pixels a side.")


def encoded(frames: list[np.ndarray], codec: str, crf: int, fps: int = 25) -> list[np.ndarray]:
    """The frames after libx264 or libx265."""
    import av

    options = {"crf": str(crf), "preset": "medium"}
    if codec == "libx265":
        options["x265-params"] = "log-level=none"
    buffer = io.BytesIO()
    with av.open(buffer, "w", "mp4") as container:
        stream = container.add_stream(codec, rate=fps, options=options)
        height, width = (side // 2 * 2 for side in frames[0].shape[:2])
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i, frame in enumerate(frames):
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
            image.pts, image.time_base = i, Fraction(1, fps)
            container.mux(stream.encode(image))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [image.to_ndarray(format="rgb24") for image in container.decode(video=0)]


def scaled(frames: list[np.ndarray], by: float) -> list[np.ndarray]:
    import cv2

    return [cv2.resize(frame, None, fx=by, fy=by, interpolation=cv2.INTER_AREA) for frame in frames]


def cropped(frames: list[np.ndarray], top: float, bottom: float, left: float, right: float) -> list[np.ndarray]:
    """Without these shares of height and width."""
    height, width = frames[0].shape[:2]
    rows = slice(round(top * height), height - round(bottom * height))
    columns = slice(round(left * width), width - round(right * width))
    return [frame[rows, columns] for frame in frames]


def at_rate(frames: list[np.ndarray], fps: float) -> list[np.ndarray]:
    """At another rate and back to 25, as players show it: frames are repeated and left out."""
    count = round(len(frames) * fps / 25)
    other = [frames[min(len(frames) - 1, int(i * 25 / fps))] for i in range(count)]
    return [other[min(count - 1, int(i * fps / 25))] for i in range(len(frames))]


def gif(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Of 12.5 frames a second and at most 256 colours."""
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames[::2]]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=80)
    image, out = Image.open(buffer), []
    for i in range(len(images)):
        image.seek(min(i, image.n_frames - 1))
        out += [np.asarray(image.convert("RGB"))] * 2
    return out[: len(frames)]


Attack = Callable[[list[np.ndarray]], list[np.ndarray]]
ATTACKS: dict[str, Attack] = {
    "none": lambda frames: frames,
    **{f"h264 crf {crf}": lambda frames, crf=crf: encoded(frames, "libx264", crf) for crf in (18, 23, 28, 33)},
    **{f"hevc crf {crf}": lambda frames, crf=crf: encoded(frames, "libx265", crf) for crf in (18, 23, 28, 33)},
    "half size, h264 crf 18": lambda frames: encoded(scaled(frames, 0.5), "libx264", 18),
    "half size, h264 crf 23": lambda frames: encoded(scaled(frames, 0.5), "libx264", 23),
    "15 frames/s, h264 crf 23": lambda frames: encoded(at_rate(frames, 15), "libx264", 23),
    "30 frames/s, h264 crf 23": lambda frames: encoded(at_rate(frames, 30), "libx264", 23),
    "gif": gif,
    "crop 5% a side, h264 crf 18": lambda frames: encoded(cropped(frames, 0.05, 0.05, 0.05, 0.05), "libx264", 18),
    "crop 5% a side, h264 crf 23": lambda frames: encoded(cropped(frames, 0.05, 0.05, 0.05, 0.05), "libx264", 23),
    "crop 5% of the left": lambda frames: encoded(cropped(frames, 0, 0, 0.05, 0), "libx264", 23),
    "half size and crop": lambda frames: encoded(cropped(scaled(frames, 0.5), 0.02, 0.03, 0.03, 0.02), "libx264", 18),
    "first 0.4 s cut off": lambda frames: encoded(frames[10:], "libx264", 23),
}


def clips(seconds: float, largest: int) -> dict[str, list[np.ndarray]]:
    """Frames before the mark, badge included, that the bundled weights make of the project's portraits."""
    import soundfile

    from vasa_jax import TalkingFace
    from vasa_jax.provenance import badge

    audio, rate = soundfile.read(_ASSETS / "speech.flac", dtype="float32")
    audio = np.tile(audio, 3)[: round(seconds * rate)]
    face = TalkingFace.load()
    return {
        f"{name} {size}": [
            badge.draw(frame)
            for frame in face.animate(_ASSETS / name, (audio, rate), seed=k, steps=4, size=size).make()
        ]
        for k, (name, size) in enumerate(_CLIPS)
        if size <= largest
    }


def survival(seconds: float, largest: int) -> dict[str, Any]:
    """Detection and bit error of every video after every attack."""
    from vasa_jax.provenance import watermark

    rows: dict[str, Any] = {"psnr": {}, "milliseconds_a_frame": {}, "attacks": {}}
    for name, plain in clips(seconds, largest).items():
        watermark.mark_frame(plain[0], KEY, 0)
        start = time.process_time()
        marked = list(watermark.mark(plain, KEY))
        rows["milliseconds_a_frame"][name] = round(1e3 * (time.process_time() - start) / len(plain), 2)
        error = np.mean([np.mean((a.astype(np.float32) - b) ** 2) for a, b in zip(marked, plain, strict=True)])
        rows["psnr"][name] = round(float(10 * np.log10(255**2 / error)), 2)
        for attack, function in ATTACKS.items():
            found = watermark.find(function(marked))
            row = {"found": found.found, "key": found.key_id == f"{KEY:08x}", "bit_error": round(found.bit_error, 4)}
            row |= {"score": round(found.score, 1), "wrong_key": found.key_id not in (None, f"{KEY:08x}")}
            rows["attacks"].setdefault(attack, {})[name] = row
            print(f"{name:18} {attack:28} {row}", flush=True)
    return rows


def foreign(folder: str, kinds: tuple[str, ...], read: Callable[[Path], Any]) -> dict[str, Any]:
    """Scores of what is real, as it is and at the best of all places.

    Args:
      kinds: suffixes of its files.
      read: gives the frames of one.
    """
    from vasa_jax.provenance import watermark

    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in kinds)
    if not paths:
        raise InputError(f"{folder} holds no file of {', '.join(kinds)}")
    paths = _spread(paths, flags.FLAGS.most)
    searched = set(_spread(paths, flags.FLAGS.searched))
    plain, found, short = [], [], 0
    for path in paths:
        swings = watermark.swinging(itertools.islice(read(path), flags.FLAGS.frames))
        if swings is None:
            short += 1
            continue
        plain.append(watermark.as_it_is(swings)[0])
        if path in searched:
            found.append(watermark.find_in(swings))
    return {
        "looked_at": len(plain),
        "too_short": short,
        "threshold": round(watermark.THRESHOLD, 2),
        "reached_it": sum(score >= watermark.THRESHOLD for score in plain),
        "score": {"highest": round(max(plain), 2), "median": round(statistics.median(plain), 2)},
        "searched": len(found),
        "search_threshold": round(watermark.SEARCH_THRESHOLD, 2),
        "found": sum(f.found for f in found),
        "best_score_of_all_places": {
            "highest": round(max(f.score for f in found), 2),
            "median": round(statistics.median(f.score for f in found), 2),
        },
        "bit_error": round(statistics.mean(f.bit_error for f in found), 3),
    }


def _spread(paths: list[Path], most: int) -> list[Path]:
    return [paths[i] for i in np.unique(np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int))]


def swayed(path: Path) -> Iterator[np.ndarray]:
    """A photograph as 50 frames that sway by 2 % as often as the mark swings: one held still would show nothing."""
    import cv2
    from PIL import Image

    from vasa_jax.provenance import watermark

    with Image.open(path) as opened:
        opened.draft("RGB", (256, 256))  # JPEG is decoded at a part of its size
        image = np.asarray(opened.convert("RGB").resize((256, 256)))
    for i in range(50):
        shift = 5 * np.sin(2 * np.pi * watermark.SWING * i / watermark.FPS)
        by = np.float32([[1, 0, shift], [0, 1, 0.5 * shift]])
        yield cv2.warpAffine(image, by, (256, 256), borderMode=cv2.BORDER_REFLECT)


def main() -> dict[str, Any]:
    """The report holds both halves of the study."""
    from vasa_jax.provenance import watermark
    from vasa_jax.training import manifest

    report: dict[str, Any] = {
        "command": ["experiments.watermark_study", *sys.argv[1:]],
        "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "device": manifest.devices(),
        "versions": manifest.versions(),
        "commit": manifest.commit(),
        "false_positives_at_most": watermark.FALSE_POSITIVES,
        "threshold": round(watermark.THRESHOLD, 2),
        "seconds": flags.FLAGS.seconds,
    }
    from vasa_jax import media

    real = {"videos": (_VIDEOS, media.VideoReader), "photographs": (_IMAGES, swayed)}
    for name, (kinds, read) in real.items():
        if flags.FLAGS[name].value:
            report[f"real_{name}"] = foreign(flags.FLAGS[name].value, kinds, read)
            print(name, report[f"real_{name}"], flush=True)
    if flags.FLAGS.survival:
        report |= survival(flags.FLAGS.seconds, flags.FLAGS.largest)
    return report


def run() -> None:
    """`python -m experiments.watermark_study`."""
    define_flags()
    app.run(main)


if __name__ == "__main__":
    run()
