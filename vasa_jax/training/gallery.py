"""What a run looks and sounds like: samples as files, and WORKDIR/gallery.html, which loads nothing from elsewhere.

A task's `images` may return, by name: an image [h, w, 3] and a video [t, h, w, 3] in 0..1, or audio [s] in -1..1.
"""

import html
import importlib.resources
import json
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vasa_jax import files
from vasa_jax.training import optional

FOLDER = "pictures"
NAME = "gallery.html"
AUDIO_RATE = 16_000
_SHOWN = 12  # evaluations, the newest; the files of all stay
_SPARK = (260, 56)  # pixels of a curve

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
.curves {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr)); gap: 18px; margin: 26px 0; }}
.curves svg {{ display: block; width: 100%; height: auto; margin-top: 8px; }}
.curves polyline {{ fill: none; stroke: var(--steady); stroke-width: 1.5; }}
.samples {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 18px; }}
.samples img, .samples video {{ max-width: 100%; image-rendering: auto; border-radius: 8px; display: block; }}
.samples audio {{ width: 100%; }}
.samples video {{ width: 320px; }}
.curves .soft {{ display: block; font-size: .88rem; }}
</style></head><body><main>
<h1>{title}</h1>
<p class="lede">{lede}</p>
<section class="curves">
{curves}
</section>
{sections}
<footer>{footer}</footer>
</main></body></html>
"""


def _pixels(values: np.ndarray) -> np.ndarray:
    return np.round(np.clip(np.nan_to_num(values), 0.0, 1.0) * 255.0).astype(np.uint8)


def save(workdir: Path, step: int, samples: Mapping[str, Any]) -> list[Path]:
    """Writes pictures/STEP_NAME.png, .mp4 (25 frames a second; left out without PyAV) or .wav; returns the paths."""
    folder = workdir / FOLDER
    folder.mkdir(exist_ok=True)
    written = []
    for name, sample in samples.items():
        sample, stem = np.asarray(sample), f"{step:07d}_{name}"
        if sample.ndim == 3:
            path = folder / f"{stem}.png"
            with files.replacing(path) as temporary:
                Image.fromarray(_pixels(sample)).save(temporary, format="PNG")
        elif sample.ndim == 4:
            media = optional.load("vasa_jax.media", "no sample videos in the gallery")
            if media is None:
                continue
            path = folder / f"{stem}.mp4"
            with media.VideoWriter(path) as writer:
                for frame in _pixels(sample):
                    writer.write(frame)
        elif sample.ndim == 1:
            path = folder / f"{stem}.wav"
            with files.replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
                file.setparams((1, 2, AUDIO_RATE, 0, "NONE", ""))
                file.writeframes((np.clip(np.nan_to_num(sample), -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
        else:
            raise ValueError(f"sample {name!r} has shape {sample.shape}; see vasa_jax/training/gallery.py")
        written.append(path)
    return written


def update(workdir: Path, step: int, samples: Mapping[str, Any]) -> Path:
    """Adds the samples of a step and writes the page anew."""
    save(workdir, step, samples)
    rows = _rows(workdir / "metrics.jsonl")
    evaluated = sorted({path.name.split("_")[0] for path in (workdir / FOLDER).glob("*_*.*")}, reverse=True)
    page = _PAGE.format(
        title=html.escape(workdir.resolve().name),
        style=importlib.resources.files("vasa_jax.report").joinpath("house.css").read_text(encoding="utf-8"),
        lede=f"Step {step:,}; the averaged parameters on held-out data.",
        curves="\n".join(_curve(name, rows) for name in _names(rows)),
        sections="\n".join(_section(workdir / FOLDER, number) for number in evaluated[:_SHOWN]),
        footer=f"{len(evaluated)} evaluations, the newest {min(len(evaluated), _SHOWN)} shown; all files: {FOLDER}/",
    )
    with files.replacing(workdir / NAME) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return workdir / NAME


def _rows(path: Path) -> list[dict[str, float]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _names(rows: list[dict[str, float]]) -> list[str]:
    """The losses and what was measured on held-out data."""
    names = {name for row in rows for name in row}
    return sorted(name for name in names if name.startswith(("loss", "eval/")))


def _curve(name: str, rows: list[dict[str, float]]) -> str:
    points = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
    if not points:
        return ""
    (width, height), pad = _SPARK, 2
    steps, values = np.asarray(points, np.float64).T
    across = (steps - steps[0]) / max(np.ptp(steps), 1) * width
    down = pad + (values.max() - values) / max(np.ptp(values), 1e-12) * (height - 2 * pad)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, down, strict=True))
    if not np.ptp(values):
        down += height / 2 - pad
    label = f"{html.escape(name)} <b>{values[-1]:.4g}</b>"
    span = f"{values.min():.4g} to {values.max():.4g}"
    return (
        f'<div class="card">{label} <span class="soft">{span}</span>'
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{html.escape(name)}">'
        f'<polyline points="{line}"/></svg></div>'
    )


def _section(folder: Path, number: str) -> str:
    figures = "\n".join(_figure(path) for path in sorted(folder.glob(f"{number}_*.*")))
    return f'<h2>Step {int(number):,}</h2>\n<section class="samples">\n{figures}\n</section>'


def _figure(path: Path) -> str:
    source, name = html.escape(f"{FOLDER}/{path.name}"), html.escape(path.stem.partition("_")[2].replace("_", " "))
    body = {
        ".png": f'<a href="{source}"><img src="{source}" alt="{name}" loading="lazy"></a>',
        ".mp4": f'<video src="{source}" controls loop muted preload="metadata"></video>',
        ".wav": f'<audio src="{source}" controls preload="none"></audio>',
    }.get(path.suffix, "")
    return f"<figure>{body}<figcaption>{name}</figcaption></figure>" if body else ""
