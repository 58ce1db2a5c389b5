"""One time axis for everything: filmstrip, waveform, mouth against loudness, eyes and head, as a single SVG.

Colours and fonts come from the page's style sheet (classes), so that the figure follows light and dark.
"""

import base64
import io
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from vasa_jax.media import FPS
from vasa_jax.report.measure import FLOOR, Clip, Readings

LEFT, RIGHT, WIDTH = 104, 40, 1000  # user units: gutters for names and scales
PLOT = WIDTH - LEFT - RIGHT
TILES = 11
_TILE = PLOT / TILES
_SPRITE = 2 * round(_TILE)  # pixels of a tile, enough for dense screens
_CLOSE = 0.72  # of a frame's side: what a tile shows
_GAP = 14


def data_uri(content: bytes, kind: str) -> str:
    """The bytes as a URI that holds them."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def jpeg(image: UInt8[np.ndarray, "h w 3"], quality: int = 88) -> bytes:
    """An image as JPEG."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality, subsampling=0)
    return stream.getvalue()


def strip(frames: Sequence[UInt8[np.ndarray, "h w 3"]], count: int = TILES, side: int = _SPRITE) -> np.ndarray:
    """The faces of `count` frames side by side, each the one at the middle of its share of the time."""
    at = [min(int((k + 0.5) * len(frames) / count), len(frames) - 1) for k in range(count)]
    size = len(frames[0])
    rows, columns = (slice(round(a * size), round((a + _CLOSE) * size)) for a in (0.60 - _CLOSE / 2, 0.5 - _CLOSE / 2))
    tiles = [cv2.resize(frames[i][rows, columns], (side, side), interpolation=cv2.INTER_AREA) for i in at]
    return np.concatenate(tiles, axis=1)


def envelope(samples: Float[np.ndarray, " n"], columns: int) -> Float[np.ndarray, "c 2"]:
    """Lowest and highest sample in each column, scaled to the largest magnitude."""
    edges = np.linspace(0, len(samples), columns + 1).astype(int)
    pieces = [samples[a:b] if b > a else samples[a : a + 1] for a, b in zip(edges[:-1], edges[1:])]
    both = np.asarray([(p.min(), p.max()) if len(p) else (0.0, 0.0) for p in pieces])
    return both / max(np.abs(both).max(initial=0.0), 1e-6)


def figure(clip: Clip) -> str:
    """The SVG of a measured video."""
    readings, frames, samples = clip.readings, clip.frames, clip.samples
    seconds = len(frames) / FPS
    times = (np.arange(len(frames)) + 0.5) / FPS
    parts, y = [], 6.0

    def lane(name: str, height: float, body: str, note: str = "") -> None:
        nonlocal y
        parts.append(f'<g transform="translate({LEFT} {y:g})">{_name(name, note, height)}{body}</g>')
        y += height + _GAP

    sprite = data_uri(jpeg(strip(frames)), "image/jpeg")
    image = f'<image href="{sprite}" width="{PLOT}" height="{_TILE:.2f}" preserveAspectRatio="none"/>'
    lane("Video", _TILE, image + _frame(PLOT, _TILE))
    lane("Sound", 54, _waveform(envelope(samples, 480), 54))
    lane("Mouth", 130, _mouth(readings, times, seconds, 130), "opening against loudness")
    lane("Eyes", 34, _small(1 - readings.lids, times, seconds, (0.0, 1.0), 34, ("open", "shut"), "lids"))
    reach = max(10.0, float(np.ceil(np.abs(readings.turn).max(initial=0.0) / 5) * 5))
    ends = (f"{reach:g}°", f"−{reach:g}°")
    lane("Head turn", 34, _small(readings.turn, times, seconds, (-reach, reach), 34, ends, "head"))
    bottom = y - _GAP
    axis = _axis(seconds, bottom)
    head = f'<line class="playhead" x1="{LEFT}" x2="{LEFT}" y1="0" y2="{bottom:g}"/>'
    label = f"Frames, waveform, mouth opening and loudness, eyes and head turn over {seconds:.1f} seconds"
    return (
        f'<svg class="timeline" viewBox="0 0 {WIDTH} {bottom + 26:g}" role="img" aria-label="{label}" '
        f'data-left="{LEFT}" data-plot="{PLOT}" data-seconds="{seconds:g}">{"".join(parts)}{axis}{head}</svg>'
    )


def _name(name: str, note: str, height: float) -> str:
    middle = min(height / 2 + 4, 30)
    text = f'<text class="name" x="{-LEFT}" y="{middle:g}">{name}</text>'
    for row, words in enumerate(_wrapped(note)):
        text += f'<text class="note" x="{-LEFT}" y="{middle + 17 + 15 * row:g}">{words}</text>'
    return text


def _wrapped(note: str, width: int = 15) -> list[str]:
    rows: list[str] = []
    for word in note.split():
        if rows and len(rows[-1]) + len(word) < width:
            rows[-1] += f" {word}"
        else:
            rows.append(word)
    return rows


def _frame(width: float, height: float) -> str:
    return f'<rect class="frame" width="{width:g}" height="{height:g}"/>'


def _waveform(peaks: Float[np.ndarray, "c 2"], height: float) -> str:
    x = np.linspace(0, PLOT, len(peaks))
    half = height / 2
    top = [f"{a:.1f} {half - half * b:.1f}" for a, b in zip(x, peaks[:, 1])]
    low = [f"{a:.1f} {half - half * b:.1f}" for a, b in zip(x[::-1], peaks[::-1, 0])]
    return f'<path class="wave" d="M{" L".join(top + low)} Z"/>'


def _line(
    values: np.ndarray, times: np.ndarray, seconds: float, limits: tuple[float, float], height: float
) -> list[str]:
    """Points of a path: `limits` are the values at the bottom and at the top."""
    low, high = limits
    share = np.clip((values - low) / (high - low), 0, 1)
    return [f"{PLOT * t / seconds:.1f} {height * (1 - s):.1f}" for t, s in zip(times, share)]


def _mouth(readings: Readings, times: np.ndarray, seconds: float, height: float) -> str:
    percent = 100 * readings.mouth
    top = max(4.0, float(np.ceil(np.percentile(percent, 99.5) / 2) * 2))
    low = float(np.percentile(percent, 1))
    bottom = 0.0 if low > -1 else float(np.floor(low / 2) * 2)  # closed lips read about zero
    rows = np.linspace(bottom, top, 3)
    grid = ""
    for value in rows:
        y = height * (1 - (value - bottom) / (top - bottom))
        grid += f'<line class="grid" x1="0" x2="{PLOT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        grid += f'<text class="tick" x="{PLOT + 6}" y="{y + 4:.1f}">{value:g} %</text>'
    loud = _line(readings.loudness, times, seconds, (FLOOR, 0.0), height)
    area = f'<path class="loud" d="M0 {height:g} L{" L".join(loud)} L{PLOT} {height:g} Z"/>'
    mouth = _line(percent, times, seconds, (bottom, top), height)
    return grid + area + f'<path class="mouth" d="M{" L".join(mouth)}"/>'


def _small(
    values: np.ndarray,
    times: np.ndarray,
    seconds: float,
    limits: tuple[float, float],
    height: float,
    ends: tuple[str, str],
    kind: str,
) -> str:
    grid = "".join(f'<line class="grid" x1="0" x2="{PLOT}" y1="{y:g}" y2="{y:g}"/>' for y in (0, height))
    ticks = f'<text class="tick" x="{PLOT + 6}" y="6">{ends[0]}</text>'
    ticks += f'<text class="tick" x="{PLOT + 6}" y="{height + 4:g}">{ends[1]}</text>'
    path = " L".join(_line(values, times, seconds, limits, height))
    return f'{grid}{ticks}<path class="{kind}" d="M{path}"/>'


def _axis(seconds: float, y: float) -> str:
    step = next((s for s in (0.5, 1, 2, 5, 10, 30, 60) if seconds / s <= 12), 120)
    out = ""
    for k in range(int(seconds / step + 1e-6) + 1):
        x = LEFT + PLOT * k * step / seconds
        out += f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{y:g}" y2="{y + 5:g}"/>'
        out += f'<text class="tick middle" x="{x:.1f}" y="{y + 19:g}">{k * step:g} s</text>'
    return out
