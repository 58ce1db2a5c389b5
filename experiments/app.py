"""What every command shares: flags, --report, exit codes, one-line errors.

def main() -> dict: ...              # the report; or (exit code, report)
def run() -> None: app.run(main, info=app.Help("--seed=1", {"motion": (SEED,)}))   # the console script
if __name__ == "__main__": run()
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# TensorFlow only moves data here. It would announce its oneDNN kernels on stderr, whatever the log level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from absl import app as absl_app
from absl import flags, logging

from experiments import command_help
from experiments.command_help import Help
from vasa_jax import files, xla
from vasa_jax.errors import EXIT_OK, EXIT_USAGE, InputError, UserError

EXIT_INTERRUPTED = 130  # what shells report for a command ended by Ctrl-C

REPORT = flags.DEFINE_string("report", None, "Write the result as JSON to this file.")

Main = Callable[[], dict[str, Any] | tuple[int, dict[str, Any]] | None]


def _one_line(text: str) -> str:
    return " ".join(str(text).split())


def _parse(argv: list[str], takes_arguments: bool) -> int | None:
    """Parses flags; an exit code when the command ends here (help of absl's kinds, or a usage error)."""
    try:
        rest = flags.FLAGS(argv)
    except SystemExit:  # --helpfull: absl has printed it
        return EXIT_OK
    except Exception as error:  # a config file can fail in any way; to the user all of them are a wrong flag
        print(f"usage: {_one_line(error) or type(error).__name__} (--help lists the flags)", file=sys.stderr)
        return EXIT_USAGE
    if len(rest) > 1 and not takes_arguments:
        print(f"usage: unexpected argument {rest[1]!r} (--help lists the flags)", file=sys.stderr)
        return EXIT_USAGE
    arguments[:] = rest[1:]
    return None


arguments: list[str] = []  # what stands beside the flags, for commands that ask for it


def _check_report(path: str) -> None:
    """Before an hour of work, not after it."""
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise InputError(f"--report={path} is a directory; name a file")
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(f"--report={path}: {folder} is not writable; choose another place")


def compile_cache(folder: str | os.PathLike | None = None) -> None:
    """Keeps compiled programs between runs, under ~/.cache/vasa_jax unless JAX_COMPILATION_CACHE_DIR is set.

    One folder per kind of processor: programs compiled for CPU use its instruction set.
    """
    import jax

    xla.tune_cpu()
    if folder is None and (os.environ.get("JAX_COMPILATION_CACHE_DIR") or jax.config.jax_compilation_cache_dir):
        return
    if folder is None:
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            kind = next((line for line in lines if line.startswith(("flags", "Features"))), "")
        except OSError:
            kind = ""
        home = Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache")
        folder = home / "vasa_jax" / hashlib.sha256(kind.encode()).hexdigest()[:12]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        logging.info("no compile cache: %s", error)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def call(main: Main, argv: list[str], *, info: Help | None = None, takes_arguments: bool = False) -> int:
    """Parses flags, calls main, writes the report; returns the exit code. `info`: what --help prints."""
    absl_app.define_help_flags()
    if command_help.asked(argv[1:]):  # before flags are parsed: a wrong one, or a broken --config, must not hide it
        print(command_help.text(main, argv[0], info or Help(), [REPORT.name]), end="")
        return EXIT_OK
    code = _parse(argv, takes_arguments)
    if code is not None:
        return code
    if flags.FLAGS["verbosity"].using_default_value:
        logging.set_verbosity(logging.WARNING)
    try:
        if REPORT.value:
            _check_report(REPORT.value)
        result = main()
        code, report = result if isinstance(result, tuple) else (EXIT_OK, result)
        if REPORT.value:
            files.write_json(REPORT.value, report or {})
        return code
    except UserError as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of our output is gone (| head)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_OK


def run(main: Main, *, info: Help | None = None, takes_arguments: bool = False) -> None:
    """Console script body: never returns. `takes_arguments`: positional words are left in app.arguments."""
    sys.exit(call(main, sys.argv, info=info, takes_arguments=takes_arguments))
