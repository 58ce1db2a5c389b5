"""What `--help` prints: what the command does, one worked example, its own flags in groups, then what all share.

    vasa-verify: does a video carry this project's marks, unbroken?

    example
      vasa-verify talking.mp4

    every command
      --report=VALUE  Write the result as JSON to this file.

absl lists the flags of `__main__`, and that is the console script, which has none: hence this.
"""

import dataclasses
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from absl import flags

WORDS = ("--help", "-help", "--helpshort", "-h")
_LEFT = 26  # where explanations begin
_HELP = [("--help", "Print this."), ("--helpfull", "Print the flags of the libraries as well.")]
_KINDS = {"int": "N", "float": "X", "comma separated list of strings": "A,B"}


@dataclasses.dataclass(frozen=True)
class Help:
    """One worked example, as the words after the command's name, and the flags by group.

    Flags that are in no group are listed after the groups, so that none is missing.
    """

    example: str = ""
    groups: Mapping[str, tuple[flags.FlagHolder, ...]] = dataclasses.field(default_factory=dict)


def asked(words: Iterable[str]) -> bool:
    """Whether the words after a command's name ask for help; what follows `--` is no flag."""
    for word in words:
        if word == "--":
            return False
        if word in WORDS:
            return True
    return False


def program(path: str) -> str:
    """How the command was called: `vasa-train`, or `python -m experiments.train`, by its argv[0]."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec and path.endswith(".py"):
        return f"python -m {spec.name.removesuffix('.__main__')}"
    return os.path.basename(path)


def text(main: Callable[[], Any], called: str, info: Help, shared: Iterable[str]) -> str:
    """The whole help of a command.

    Args:
      main: the command's main; its module's docstring begins with what the command does.
      called: argv[0].
      info: example and groups.
      shared: names of the flags that every command has.
    """
    module = sys.modules[main.__module__]
    summary = " ".join((module.__doc__ or "").split("\n\n")[0].split())
    name = program(called)
    parts = [textwrap.fill(f"{name}: {summary}", _width())]
    if info.example:
        parts.append(f"example\n{_command([name, *info.example.split()])}")
    grouped = {title: [flags.FLAGS[holder.name] for holder in group] for title, group in info.groups.items()}
    named = {flag.name for group in grouped.values() for flag in group} | set(shared)
    module_name = called if main.__module__ == "__main__" else main.__module__
    others = [flag for flag in flags.FLAGS.get_flags_for_module(module_name) if flag.name not in named]
    if others:
        grouped["other flags" if grouped else "flags"] = others
    rows = {title: [(_head(flag), _body(flag)) for flag in group] for title, group in grouped.items() if group}
    rows["every command"] = [(_head(flags.FLAGS[name]), _body(flags.FLAGS[name])) for name in shared] + _HELP
    parts += [f"{title}\n{_table(group)}" for title, group in rows.items()]
    return "\n\n".join(parts) + "\n"


def _width() -> int:
    return max(60, min(110, shutil.get_terminal_size().columns))


def _command(words: list[str]) -> str:
    """The words as a shell takes them, over several lines where they do not fit in one."""
    options = {"break_on_hyphens": False, "break_long_words": False, "subsequent_indent": "      "}
    return textwrap.fill(" ".join(words), _width() - 2, initial_indent="  ", **options).replace("\n", " \\\n")


def _table(rows: Iterable[tuple[str, str]]) -> str:
    width, room = _width(), " " * _LEFT
    lines = []
    for head, said in rows:
        head = f"  {head}"
        body = textwrap.wrap(said, width, break_on_hyphens=False, initial_indent=room, subsequent_indent=room)
        if len(head) < _LEFT - 1:
            head, *body = head + body[0][len(head) :], *body[1:]
        lines += [head, *body]
    return "\n".join(lines)


def _head(flag: flags.Flag) -> str:
    if flag.boolean:
        return f"--[no]{flag.name}" if flag.default else f"--{flag.name}"
    return f"--{flag.name}={_KINDS.get(flag.flag_type(), 'VALUE')}"


def _body(flag: flags.Flag) -> str:
    said = " ".join((flag.help or "").split())
    if choices := getattr(flag.parser, "enum_values", None):
        said = f"{said.split('>: ', 1)[-1]} One of: {', '.join(choices)}."  # absl writes <A|B>: before it
    if flag.flag_type().startswith("multi"):
        said += " May be given several times."
    if flag.default is None or flag.default is False or flag.default in ("", []):
        return said
    value = "on" if flag.default is True else flag.default_as_str.strip("'\"")
    return f"{said} (default: {value})"
