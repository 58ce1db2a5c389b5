"""Exit codes, one-line errors and reports that every command shares."""

import json

import pytest
from absl import flags
from absl.testing import flagsaver

from experiments.common import app
from vasa_jax.errors import InputError, UsageError


@pytest.fixture(autouse=True)
def _flags():
    with flagsaver.flagsaver():
        yield
    flags.FLAGS.unparse_flags()


def _raises(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "said"),
    [
        (lambda: {"ok": True}, 0, ""),
        (lambda: (1, {}), 1, ""),
        (_raises(InputError("a.wav is\nempty; record again")), 3, "error: a.wav is empty; record again\n"),
        (_raises(UsageError("--output is missing")), 2, "error: --output is missing\n"),
        (_raises(KeyboardInterrupt()), 130, "interrupted\n"),
    ],
)
def test_exit_codes_and_one_line_errors(main, code, said, capsys):
    assert app.call(main, ["command"]) == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("argv", [["--no_such_flag=1"], ["stray"]])
def test_wrong_flags_are_usage_errors(argv, capsys):
    assert app.call(lambda: pytest.fail("ran"), ["command", *argv]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_positional_words_reach_commands_that_take_them():
    assert app.call(lambda: {}, ["command", "a.mp4"], takes_arguments=True) == 0
    assert app.arguments == ["a.mp4"]


def test_report_is_written_whole_or_not_at_all(tmp_path, capsys):
    report = tmp_path / "new" / "report.json"
    assert app.call(lambda: {"frames": 3}, ["command", f"--report={report}"]) == 0
    assert json.loads(report.read_text()) == {"frames": 3}
    assert app.call(lambda: pytest.fail("ran"), ["command", f"--report={tmp_path}"]) == 3
    assert app.call(_raises(InputError("x")), ["command", f"--report={tmp_path}/other.json"]) == 3
    assert [path.name for path in tmp_path.rglob("*.json")] == [
        "report.json"
    ] and "directory" in capsys.readouterr().err


def test_bugs_keep_their_traceback():
    with pytest.raises(ZeroDivisionError):
        app.call(_raises(ZeroDivisionError()), ["command"])
