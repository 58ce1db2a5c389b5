"""The report of one talking face as a single HTML file: nothing in it is loaded from elsewhere."""

import dataclasses
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vasa_jax import files
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.report import template, timeline
from vasa_jax.report.measure import Clip

_PORTRAIT = 480  # pixels of the longer side in the page


@dataclasses.dataclass(frozen=True)
class Stage:
    """A row of the table of timings; `frames` is None where the stage does not work frame by frame."""

    name: str
    note: str
    seconds: float
    frames: int | None = None

    @property
    def rate(self) -> float | None:
        """Frames a second."""
        return None if self.frames is None else self.frames / max(self.seconds, 1e-6)


@dataclasses.dataclass(frozen=True)
class Report:
    """What the page shows. Texts are plain; the page escapes them.

    Attributes:
      video: the finished MP4.
      portrait, box: the image that was given and the square that was cut out of it.
      clip: the finished video, measured.
      stats: (what, value) in large print.
      stages: of the work, in order; the sum is added.
      facts: (what, value) about the model and the run.
      commands: (explanation, command line).
      others: (caption, MP4) of further videos.
      verdict, intact: what the verification said.
    """

    title: str
    heading: str
    lede: str
    date: str
    version: str
    inputs: str
    result: str
    hardware: str
    card: str
    footer: str
    video: Path
    portrait: UInt8[np.ndarray, "h w 3"]
    box: FaceBox
    clip: Clip
    stats: Sequence[tuple[str, str]]
    stages: Sequence[Stage]
    facts: Sequence[tuple[str, str]]
    commands: Sequence[tuple[str, str]]
    verify_command: str
    verdict: str
    intact: bool
    others: Sequence[tuple[str, Path]] = ()


_TEXTS = ("title", "heading", "lede", "date", "version", "inputs", "result", "hardware", "card", "footer", "verdict")


def write(path: str | Path, report: Report) -> None:
    """Writes the page."""
    page = template.fill("vasa_jax.report", "template.html", _fields(report))
    with files.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _fields(report: Report) -> Mapping[str, object]:
    portrait = _shrunk(report.portrait)
    height, width = portrait.shape[:2]
    clip = report.clip
    return {name: html.escape(getattr(report, name)) for name in _TEXTS} | {
        "portrait": timeline.data_uri(timeline.jpeg(portrait), "image/jpeg"),
        "portrait_width": width,
        "portrait_height": height,
        "box": _square(report.box, width / report.portrait.shape[1]),
        "video": timeline.data_uri(Path(report.video).read_bytes(), "video/mp4"),
        "poster": timeline.data_uri(timeline.jpeg(clip.frames[len(clip.frames) // 2]), "image/jpeg"),
        "timeline": timeline.figure(clip),
        "stats": "".join(f"<div><dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd></div>" for a, b in report.stats),
        "timings": _rows(report.stages),
        "facts": "".join(f"<dt>{html.escape(a)}</dt><dd>{html.escape(b)}</dd>" for a, b in report.facts),
        "commands": "".join(f"<p>{html.escape(a)}</p><pre>{_words(b)}</pre>" for a, b in report.commands),
        "others": "".join(_other(caption, path) for caption, path in report.others),
        "verify_command": _words(report.verify_command),
        "verdict_class": "ok" if report.intact else "bad",
    }


def _other(caption: str, path: Path) -> str:
    source = timeline.data_uri(Path(path).read_bytes(), "video/mp4")
    words = html.escape(caption)
    return f'<figure><video src="{source}" controls loop playsinline></video><figcaption>{words}</figcaption></figure>'


def _words(command: str) -> str:
    """A command line that breaks between its words only."""
    return " ".join(f"<span>{html.escape(word)}</span>" for word in command.split())


def _shrunk(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "y x 3"]:
    scale = min(1.0, _PORTRAIT / max(image.shape[:2]))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image


def _square(box: FaceBox, scale: float) -> str:
    """The crop as an outline that is seen on light and on dark."""
    x, y, half = (scale * v for v in (box.x, box.y, box.half))
    shape = f'x="{x - half:.1f}" y="{y - half:.1f}" width="{2 * half:.1f}" height="{2 * half:.1f}" rx="6"'
    turn = f'transform="rotate({box.tilt:g} {x:.1f} {y:.1f})"' if box.tilt else ""
    return f'<rect class="box under" {shape} {turn}/><rect class="box" {shape} {turn}/>'


def _rows(stages: Sequence[Stage]) -> str:
    out = ""
    for stage in stages:
        rate = "" if stage.rate is None else _short(stage.rate)
        name, note = html.escape(stage.name), html.escape(stage.note)
        out += f'<tr><td>{name}<small>{note}</small></td><td class="n">{_short(stage.seconds)}</td>'
        out += f'<td class="n">{rate}</td></tr>'
    total = sum(stage.seconds for stage in stages)
    return out + f'<tr class="total"><td>All</td><td class="n">{_short(total)}</td><td class="n"></td></tr>'


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
