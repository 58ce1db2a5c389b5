"""What the documents name exists: files behind links, commands, and the flags given to them."""

import configparser
import json
import re
from pathlib import Path

import pytest

from vasa_jax import conditions

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "vasa_jax" / "bundled" / "MODEL_CARD.md"]
SHARED = {"help", "report"}  # flags of every command; --config.a.b belongs to --config


def _modules():
    """Console script -> module, from setup.cfg."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"]["console_scripts"].split("\n")
    entries = (line.split("=") for line in lines if line.strip())
    return {name.strip(): target.split(":")[0].strip() for name, target in entries}


def _source(module):
    path = ROOT.joinpath(*module.split("."))
    return (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


def _flags(module):
    named = set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", _source(module))) | SHARED
    if "condition_flags.define" in _source(module):
        named |= {name for one in conditions.CONDITIONS for name in (f"cfg_{one.name}", *[one.name] * one.told)}
    return named


def _commands(text):
    """(module, flags) of every command in code blocks and inline code; backslashes join lines."""
    scripts = _modules()
    blocks = re.findall(r"```(?:sh)?\n(.*?)```", text, re.S) + re.findall(r"`([^`\n]+)`", text)
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        line = line.split(" #")[0]
        found = re.search(r"(?:^|/|\s)(vasa-\w+)\b|-m ((?:experiments|data_pipelines)[\w.]*)", line)
        if found:
            module = scripts.get(found[1]) if found[1] else found[2]
            assert module, f"{found[1]} is no console script"
            yield module, re.findall(r"(?<!\S)--(\w+)", line[found.end() :])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_their_flags_exist(path):
    for module, given in _commands(path.read_text(encoding="utf-8")):
        known = _flags(module)
        for flag in given:
            assert flag in known or flag.removeprefix("no") in known, f"{module} has no --{flag}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_exist(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target
    folders = "vasa_jax|data_pipelines|experiments|docs|tests"
    for name in re.findall(rf"(?<![\w/])(?:{folders})/[\w/]+\.(?:py|md|json|jpg|flac)\b", text):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_named_tests_exist(path):
    for file, name in re.findall(r"(tests/[\w/]+\.py)::(\w+)", path.read_text(encoding="utf-8")):
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_every_flag_of_vasa_generate_is_documented():
    documented = set(re.findall(r"--(\w+)", (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")))
    documented |= {flag.removeprefix("no") for flag in documented}
    assert _flags("experiments.generate") - documented - {"help"} == set()


def test_numbers_of_the_readme_are_those_of_the_reports():
    """Weights that are trained again bring new reports, and then new rows."""
    reports = {
        name: json.loads((ROOT / "experiments" / "results" / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("face_grid", "motion_grid", "motion_grid_256")
    }
    rows = [line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    columns = [reports["face_grid"]["splits"][name]["all"] for name in ("test", "unseen")]
    for words, key in (
        ("mouth box", "l1_mouth_of_copy"),
        ("eye boxes", "l1_eyes_of_copy"),
        ("mouth opening kept", "mouth_changes_of_ceiling"),
        ("likeness", "identity"),
    ):
        (row,) = (row for row in rows if words in row)
        found = [float(cell.split()[0]) for cell in row.split("|")[2:4]]
        assert found == [round(column[key]["mean"], 2) for column in columns], row
    (row,) = (row for row in rows if "blinks kept" in row)
    kept = [f"{column['blinks']['kept']} of {column['blinks']['real']}" for column in columns]
    assert [cell.split(" (")[0].strip() for cell in row.split("|")[2:4]] == kept
    for words, key in (
        ("real video shrunk", "real video shrunk"),
        ("through the face model", "re-encoded real video"),
        ("generated from the speech", "generated"),
        ("ridge", "ridge from log-mel"),
        ("another real sentence", "another real sentence"),
        ("against another", "wrong audio"),
    ):
        (row,) = (row for row in rows if words in row)
        found = [float(cell.strip(" *")) for cell in row.split("|")[2:4]]
        mouths = [reports[name]["mouth"] for name in ("motion_grid_256", "motion_grid")]
        assert found == [round(mouth[key]["changes"]["mean"], 2) for mouth in mouths], row
