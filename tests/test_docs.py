"""What the documents name exists: files behind links, commands, and the flags given to them."""

import configparser
import re
from pathlib import Path

import pytest

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
    return set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", _source(module))) | SHARED


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
            yield module, re.findall(r"--(\w+)", line[found.end() :])


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
    for name in re.findall(r"\b(?:vasa_jax|data_pipelines|experiments|docs)/[\w/]+\.(?:py|md|json|jpg|flac)\b", text):
        assert (ROOT / name).exists(), name


def test_every_flag_of_vasa_generate_is_documented():
    documented = set(re.findall(r"--(\w+)", (ROOT / "docs" / "generate.md").read_text(encoding="utf-8")))
    documented |= {flag.removeprefix("no") for flag in documented}
    assert _flags("experiments.generate") - documented - {"help"} == set()
