"""The command vasa-serve, whose flags are global and named like those of other commands that tests import."""

from pathlib import Path

from tests import child


def test_the_command():
    child.passes(Path(__file__).with_name("serve_command.py"))
