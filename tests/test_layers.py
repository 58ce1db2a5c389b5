"""Which room of the library may use which: imports go down, and no two rooms use each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = (
    {"ops", "diffusion"},
    {"models"},
    {"losses"},
    {"pretrained"},
    {"metrics"},
    {"provenance"},
    # Training knows nothing of inference, nor the other way round.
    {"training", "inference"},
    {"report"},
    # What other programs talk to.
    {"serve", "agents"},
)
"""From the ground up. The modules beside the rooms (errors, files, media, weights...) are under all of them."""


def _imports(path: Path) -> Iterator[str]:
    """Rooms and modules of the library that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "vasa_jax":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vasa_jax."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("vasa_jax."))


def _wrong(room: str, imported: set[str]) -> set[str]:
    """Rooms among the imported ones that do not lie below `room`; a room on no floor lies under all."""
    floor = {name: number for number, names in enumerate(FLOORS) for name in names}
    return {name for name in imported - {room} if floor.get(name, -1) >= floor.get(room, -1) and name in floor}


@pytest.mark.parametrize("path", sorted((ROOT / "vasa_jax").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_go_down(path):
    room = path.relative_to(ROOT / "vasa_jax").parts[0].removesuffix(".py")
    if room != "__init__":  # the front door, which offers TalkingFace
        assert not (wrong := _wrong(room, set(_imports(path)))), f"{room} may not use {', '.join(sorted(wrong))}"


def test_every_room_is_on_a_floor():
    rooms = {path.parent.name for path in (ROOT / "vasa_jax").glob("*/__init__.py")}
    assert rooms - {"assets", "bundled"} == set().union(*FLOORS)


def test_an_arrow_that_runs_back_up_would_be_seen():
    assert _wrong("training", {"inference", "models", "errors"}) == {"inference"}
    assert _wrong("losses", {"metrics"}) == {"metrics"} and _wrong("media", {"ops"}) == {"ops"}
