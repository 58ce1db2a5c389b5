"""House rules that a linter does not know: sizes of files and functions, one test file per source file's package."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path for folder in ("vasa_jax", "data_pipelines", "experiments") for path in (ROOT / folder).rglob("*.py")
)
FILE_LINES, FUNCTION_LINES = 400, 60


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("get_config"):
            body = node.end_lineno - node.lineno + 1 - len((ast.get_docstring(node) or "").splitlines())
            assert body <= FUNCTION_LINES, f"{node.name} has {body} lines beside its docstring"


def test_durations_are_taken_from_a_clock_that_nobody_sets():
    """time.time() and datetime.now() jump; they are for dates that people read."""
    dates = {"vasa_jax/training/watchdog.py", "vasa_jax/provenance/keys.py"}
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if str(path.relative_to(ROOT)) not in dates:
            assert "time.time()" not in text and "datetime.now(" not in text, path


def test_the_library_stands_alone():
    forbidden = {"data_pipelines", "experiments", "tensorflow", "tensorflow_datasets"}
    for path in (path for path in SOURCES if path.is_relative_to(ROOT / "vasa_jax")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not {name.split(".")[0] for name in names} & forbidden, f"{path} imports {names}"


def test_commands_that_tests_import_define_no_flag_twice():
    """One process collects every test file, and absl refuses a flag that two modules define; others run as children."""
    commands = {path.stem: _flags_of(path) for path in (ROOT / "experiments").glob("*.py")}
    imported = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module == "experiments":
                imported |= {alias.name for alias in node.names} & set(commands)
    names = [name for command in sorted(imported) for name in commands[command]]
    assert {name for name in names if names.count(name) > 1} == set()


def _flags_of(path):
    """Flags that importing a module defines."""
    body = [
        node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.Assign | ast.Expr)
    ]
    calls = [node for statement in body for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return [call.args[0].value for call in calls if getattr(call.func, "attr", "").startswith("DEFINE_")]
