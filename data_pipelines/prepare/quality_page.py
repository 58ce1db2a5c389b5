"""The report of a data set as one HTML page: what was kept, what was dropped and why, and what the labels look like.

Nothing in it is loaded from elsewhere. Style and words follow `vasa_jax.report`.
"""

import collections
import html
from collections.abc import Mapping, Sequence
from typing import Any

from data_pipelines.prepare import filters, sheets
from data_pipelines.prepare.results import Results
from vasa_jax.report import template, timeline

KEPT, DROPPED_A_KIND = 48, 8
"""How many thumbnails are shown."""
_TITLES = {
    "yaw": "Head: left and right",
    "pitch": "Head: up and down",
    "roll": "Head: tilt",
    "gaze_theta": "Gaze: left and right",
    "gaze_phi": "Gaze: up and down",
    "distance": "Distance",
    "duration": "Length of a clip",
}


def render(title: str, quality: Mapping[str, Any], found: Results) -> str:
    """The page.

    Args:
      title: names the data set.
      quality: the content of quality.json.
      found: where the images come from.
    """
    counts, labels = quality["counts"], quality["labels"]
    seconds = sum(entry["seconds"] for entry in quality["speakers"].values())
    blink = labels["blinks_per_minute"]
    stats = [
        ("clips kept", f"{counts['kept']:,}"),
        ("entries dropped", f"{counts['dropped']:,}"),
        ("hours kept", f"{seconds / 3600:.2f}"),
        ("speakers", f"{sum(bool(e['kept']) for e in quality['speakers'].values()):,}"),
        ("blinks a minute", "–" if blink is None else f"{blink:.0f}"),
    ]
    fields = {
        "title": html.escape(title),
        "stats": "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in stats),
        "labels_from": html.escape(labels["from"]),
        "reasons": _rows(quality["reasons"].items()) or '<tr><td colspan="2">Nothing was dropped.</td></tr>',
        "splits": _rows(quality["splits"].items()),
        "speakers": _speakers(quality["speakers"]),
        "histograms": "".join(histogram(_TITLES[name], entry) for name, entry in labels["histograms"].items()),
        "dropped": _dropped(found) or "<p>Nothing was dropped.</p>",
        "kept": _kept(found),
    }
    return template.fill("data_pipelines.prepare", "quality.html", fields)


def histogram(title: str, entry: Mapping[str, Any]) -> str:
    """One histogram as a figure with an SVG; the outermost bars also hold what lies beyond."""
    counts, low, high = entry["counts"], entry["low"], entry["high"]
    width, height = 300, 90
    bar = width / len(counts)
    top = max(max(counts), 1)
    bars = "".join(
        f'<rect x="{k * bar:.1f}" y="{height - height * n / top:.1f}" width="{bar - 1:.1f}" '
        f'height="{height * n / top:.1f}"><title>{low + k * (high - low) / len(counts):g} to '
        f"{low + (k + 1) * (high - low) / len(counts):g}: {n:,}</title></rect>"
        for k, n in enumerate(counts)
    )
    ticks = "".join(
        f'<text x="{x}" y="{height + 15}" text-anchor="{anchor}">{value:g}</text>'
        for x, anchor, value in ((0, "start", low), (width / 2, "middle", (low + high) / 2), (width, "end", high))
    )
    note = f"{html.escape(entry['unit'])}; mean {entry['mean']:.3g}, deviation {entry['std']:.3g}"
    return (
        f'<figure><svg class="histogram" viewBox="0 0 {width} {height + 20}" role="img" '
        f'aria-label="{html.escape(title)}"><g>{bars}</g>{ticks}</svg>'
        f"<figcaption><b>{html.escape(title)}</b><br>{note}</figcaption></figure>"
    )


def _rows(entries: Any) -> str:
    return "".join(f'<tr><td>{html.escape(str(name))}</td><td class="n">{count:,}</td></tr>' for name, count in entries)


def _speakers(speakers: Mapping[str, Mapping[str, float]]) -> str:
    cells = (
        f'<tr><td>{html.escape(name)}</td><td class="n">{e["kept"]:,}</td><td class="n">{e["dropped"]:,}</td>'
        f'<td class="n">{e["seconds"] / 60:.1f}</td></tr>'
        for name, e in sheets.evenly(list(speakers.items()), 100)
    )
    more = len(speakers) - 100
    return "".join(cells) + (f'<tr><td colspan="4">and {more:,} more</td></tr>' if more > 0 else "")


def _figures(images: Sequence[tuple[bytes, str, str]]) -> str:
    return "".join(
        f'<figure><img src="{timeline.data_uri(jpeg, "image/jpeg")}" alt="" loading="lazy">'
        f"<figcaption>{html.escape(name)}{f'<br>{html.escape(note)}' if note else ''}</figcaption></figure>"
        for jpeg, name, note in images
    )


def _kept(found: Results) -> str:
    images = []
    for source, clip_id, _ in sheets.evenly(list(found.kept()), KEPT):
        example = next(e for e in found.produce(source).examples if e["clip_id"] == clip_id)
        image = sheets.tile(example, len(example["frames"]) // 2)
        images.append((timeline.jpeg(image), clip_id, ""))
    return f'<div class="thumbnails">{_figures(images)}</div>'


def _dropped(found: Results) -> str:
    """Some of each kind of reason, with images where there are any."""
    by_kind = collections.defaultdict(list)
    for source, entry in found.dropped():
        by_kind[filters.kind(entry.reason)].append((source, entry))
    parts = []
    for kind, entries in sorted(by_kind.items(), key=lambda item: -len(item[1])):
        images, words = [], []
        for source, entry in sheets.evenly(entries, DROPPED_A_KIND):
            thumbnail = found.thumbnail(source, entry.clip)
            if thumbnail is None:
                words.append(f"<li>{html.escape(entry.clip)}: {html.escape(entry.reason)}</li>")
            else:
                images.append((thumbnail, entry.clip, entry.reason))
        parts.append(f"<h3>{html.escape(kind)} ({len(entries):,})</h3>")
        parts.append(f'<div class="thumbnails wide">{_figures(images)}</div>' if images else "")
        parts.append(f"<ul>{''.join(words)}</ul>" if words else "")
    return "".join(parts)
