"""`--help` of every installed command: its own flags first, in groups, with an example that uses them, and at once."""

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.common import app

ROOT = Path(__file__).parents[2]


@pytest.fixture
def _flags():
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()


def _commands() -> list[tuple[str, str]]:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].strip().splitlines()
    return [tuple(re.fullmatch(r"(\S+) = (\S+):run", line.strip()).groups()) for line in lines]


COMMANDS = _commands()

# As a console script does it: the command is not __main__. Says afterwards which flags are the command's own, and what
# of the slow imports was made to print them.
_SCRIPT = """
import importlib, json, sys
from absl import flags
module = importlib.import_module(sys.argv[1])
sys.argv = sys.argv[2:]
try:
    module.run()
finally:
    own = [flag.name for flag in flags.FLAGS.get_flags_for_module(module.__name__)]
    print(json.dumps({"own": own, "slow": [x for x in ("jax", "tensorflow") if x in sys.modules]}), file=sys.stderr)
"""


def _run(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, cwd=ROOT, env=os.environ | {"COLUMNS": "100"}
    )


def _listed(text: str) -> list[str]:
    return re.findall(r"^  --(?:\[no\])?(\w+)", text, re.M)


@pytest.mark.parametrize(("name", "module"), COMMANDS)
def test_own_flags_come_first_in_groups_with_an_example(name, module):
    done = _run("-c", _SCRIPT, module, name, "--help")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stderr.splitlines()[-1])
    own, every = done.stdout.split("\nevery command\n")
    assert own.startswith(f"{name}: ")
    assert sorted(_listed(own)) == sorted(said["own"])
    assert _listed(every) == ["report", "help", "helpfull"]
    assert "\nother flags\n" not in own, "name the group of each flag in HELP"
    assert said["slow"] == []
    example = re.search(rf"\nexample\n  ({name} (?:.*\\\n)*.*)", own).group(1)
    assert example != name
    assert set(re.findall(r"--(\w+)", example)) <= {*said["own"], "report"}


@pytest.mark.parametrize(("name", "module"), COMMANDS)
def test_modules_say_the_same_as_installed_commands(name, module):
    script, run = _run("-c", _SCRIPT, module, name, "--help"), _run("-m", module, "--help")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"python -m {module}: ")
    assert _listed(run.stdout) == _listed(script.stdout)


@pytest.mark.usefixtures("_flags")
@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--no_such_flag=1", "--help"], ["stray", "--helpshort"]])
def test_help_is_given_whatever_stands_beside_it(words, capsys):
    assert app.call(lambda: pytest.fail("ran"), ["command", *words]) == 0
    said = capsys.readouterr()
    assert "--report=VALUE" in said.out and said.err == ""


@pytest.mark.usefixtures("_flags")
def test_what_follows_two_dashes_is_no_flag(capsys):
    assert app.call(lambda: {}, ["command", "--", "--help"], takes_arguments=True) == 0
    assert app.arguments == ["--help"] and capsys.readouterr().out == ""
