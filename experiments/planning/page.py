"""The plan as one HTML page that loads nothing from elsewhere."""

import html
from collections.abc import Iterable
from typing import Any

from experiments.planning.estimate import gib, span
from experiments.planning.step import INSIDE
from vasa_jax.report import template

_COLOURS = ("var(--steady)", "var(--loud)", "var(--mouth)", "var(--wave)", "var(--ok)", "var(--bad)")
_SECONDS = {
    "step": "The step, nothing overlapped",
    "compute": "Computing, by the compiler's cycles",
    "compute_by_parts": "Computing, the sum of the parts below",
    "compute_at_least": "Computing, every operation at its best",
    "compute_at_peak": "Computing, at the chip's peak",
    "collectives": "Exchanges, at what the links carry",
}


def render(report: dict[str, Any]) -> str:
    """The page of a report of vasa-plan."""
    mesh = " × ".join(f"{size} {axis}" for axis, size in report["mesh"].items() if size > 1) or "one device"
    fields = {
        "title": html.escape(f"{report['config']} on {report['topology']}"),
        "lede": html.escape(
            f"{report['chips']} chips as {mesh}, {report['batch_size']} {report['items']} a step. Compiled, not run."
        ),
        "stats": "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in _stats(report)),
        "fits": "yes" if report["fits"] else "no",
        "verdict": f"{'Fits' if report['fits'] else 'Does not fit'}: {gib(report['bytes_per_device']['total'])} of "
        f"{gib(report['hbm_per_chip'] * report['chips'] / report['devices'])}",
        "bar": _bar(report),
        "memory": _memory(report),
        "suggestion": html.escape(report["suggestion"] and f"To make it fit: {report['suggestion']}."),
        "seconds": _rows(
            (_SECONDS[n], _milliseconds(report["seconds"][n])) for n in _SECONDS if n in report["seconds"]
        ),
        "collectives": _rows((r["kind"], r["ways"], r["count"], gib(r["bytes"])) for r in report["collectives"])
        or '<tr><td colspan="4">Nothing.</td></tr>',
        "parts": _parts(report.get("parts_of_step", [])),
        "tried": _tried(report.get("tried", [])),
        "foot": html.escape(f"{' '.join(report['command'])} · {report['compiler']} · {report['date']}"),
    }
    return template.fill("experiments.planning", "plan.html", fields)


def _stats(report: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "of a chip's memory", f"{100 * report['bytes_per_chip'] / report['hbm_per_chip']:.0f} %"
    if report["step_seconds"]:
        yield "a step, estimated", _milliseconds(report["step_seconds"])
        yield f"{report['items']} a second", f"{report['items_per_second']:,.0f}"
        yield f"for {report['steps']:,} steps", span(report["days"])
        yield "of the step is exchange", f"{100 * report['collective_share']:.1f} %"
    elif report["seconds"]["compute_at_peak"]:
        yield "a step at the chip's peak", _milliseconds(report["seconds"]["compute_at_peak"])
        yield "of that is exchange, at most", f"{100 * report['collective_share_at_most']:.1f} %"
    if scaling := report.get("scaling"):
        if scaling["efficiency"] is not None:
            least = ", at least" if scaling.get("bound") else ""
            yield f"of a device's speed in {scaling['from']}{least}", f"{100 * scaling['efficiency']:.0f} %"


def _shares(report: dict[str, Any]) -> list[tuple[str, int]]:
    """Arguments by part, what the compiler padded them by, and what it placed beside them."""
    placed = report["bytes_per_device"]
    if "arguments" not in placed:
        return list(report["parts_per_device"].items())
    held = {name: size for name, size in report["parts_per_device"].items() if name not in INSIDE}
    padding = max(placed["arguments"] - sum(held.values()), 0)
    rows = [*held.items(), ("padding of these", padding)]
    beside = ("temporary", "outputs_not_in_place", "program")  # no program where the compiler was stopped before it
    return rows + [(name, placed[name]) for name in beside if name in placed]


def _bar(report: dict[str, Any]) -> str:
    room = max(report["hbm_per_chip"] * report["chips"] / report["devices"], report["bytes_per_device"]["total"])
    shares = [(n, size) for n, (_, size) in enumerate(_shares(report)) if size / room > 0.002]
    return "".join(
        f'<i style="width:{100 * size / room:.2f}%;background:{_COLOURS[n % len(_COLOURS)]}"></i>' for n, size in shares
    )


def _memory(report: dict[str, Any]) -> str:
    total = report["bytes_per_device"]["total"]
    rows = []
    for n, (name, size) in enumerate(_shares(report)):
        key = f'<span class="key" style="background:{_COLOURS[n % len(_COLOURS)]}"></span>'
        label = html.escape(name.replace("_", " "))
        cells = "".join(f'<td class="n">{value}</td>' for value in (gib(size), f"{size / total:.0%}"))
        rows.append(f"<tr><td>{key}{label}</td>{cells}</tr>")
    return "".join(rows)


def _tried(tried: list[dict[str, Any]]) -> str:
    if not tried:
        return ""
    body = _rows(
        (
            " × ".join(map(str, one["mesh"])),
            one["batch_size"],
            gib(one["bytes_per_chip"]) + ("" if one["fits"] else ", does not fit"),
            _milliseconds(one["step_seconds"]),
            "–" if one["items_per_second"] is None else f"{one['items_per_second']:,.0f}",
        )
        for one in tried
    )
    return _table("What was tried", ("data × fsdp × tensor", "Batch", "A chip", "Step", "Items a second"), body)


def _parts(parts: list[dict[str, Any]]) -> str:
    if not parts:
        return ""
    whole = sum(part["seconds"] for part in parts)
    body = _rows(
        (
            part["part"].replace("_", " "),
            _milliseconds(part["seconds"]),
            f"{part['seconds'] / whole:.0%}",
            f"{part['operations'] / 1e12:.3g}",
            f"{part['share_of_peak']:.0%}",
        )
        for part in parts
    )
    return _table("Where the seconds go", ("Part of the step", "Time", "Of all", "TFLOP", "Of the peak"), body)


def _table(title: str, names: tuple[str, ...], body: str) -> str:
    head = f"<th>{names[0]}</th>" + "".join(f'<th class="n">{name}</th>' for name in names[1:])
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<h2>{title}</h2><div class="scroll">{table}</div>'


def _milliseconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{1e3 * seconds:,.2f} ms"


def _rows(rows: Iterable[tuple[Any, ...]]) -> str:
    def cells(row: tuple[Any, ...]) -> str:
        first, *others = (html.escape(str(value)) for value in row)
        return f"<td>{first}</td>" + "".join(f'<td class="n">{value}</td>' for value in others)

    return "".join(f"<tr>{cells(row)}</tr>" for row in rows)
