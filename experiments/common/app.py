"""What every command shares: flags, --report, exit codes, one-line errors.

def main() -> dict: ...              # the report; or (exit code, report)
def run() -> None: app.run(main, info=app.Help("--seed=1", {"motion": (SEED,)}))   # the console script
if __name__ == "__main__": run()
"""

import contextlib
import hashlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# TensorFlow only moves data here. It would announce its oneDNN kernels on stderr, whatever the log level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

from absl import app as absl_app
from absl import flags, logging

from experiments.common import command_help, stopping
from experiments.common.command_help import Help
from vasa_jax import files, paths, xla
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
    target = Path(os.path.realpath(path))
    folder = target.parent
    try:
        if target.is_dir():
            raise InputError(f"--report={path} is a directory; name a file")
        os.path.lexists(target) or os.stat(target)
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise InputError(f"--report={path}: {folder} is not a folder; choose another place") from None
    except (OSError, ValueError) as error:
        raise InputError(f"--report={path} cannot be a file ({getattr(error, 'strerror', error)})") from None
    while not folder.exists():
        folder = folder.parent
    if not _special(Path(path)) and not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise InputError(f"--report={path}: {folder} is not writable; choose another place")


def _special(path: Path) -> bool:
    """Whether a pipe or a device stands there, or another name of an open file: written to, not replaced."""
    return path.is_relative_to("/dev") or path.is_relative_to("/proc") or path.exists() and not path.is_file()


def _write_report(path: str, report: dict[str, Any]) -> None:
    if _special(Path(path)):
        Path(path).write_text(files.as_json(report), encoding="utf-8")
    else:
        files.write_json(path, report)


class _Messages:
    """Standard output whose failures decide nothing: a full disk, a reader that is gone, a narrow encoding."""

    def __init__(self, stream: Any):
        self._stream, self._failed = stream, False
        with contextlib.suppress(AttributeError, ValueError, OSError):  # of tests, or detached
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, action: Callable[[], Any]) -> None:
        if self._failed:
            return
        try:
            action()
        except OSError as error:
            self._failed = True
            if not isinstance(error, BrokenPipeError) and sys.stderr is not None:  # of | head nobody need be told
                print(f"what is printed cannot be written ({error.strerror}); the work goes on", file=sys.stderr)
            with contextlib.suppress(OSError, ValueError):  # what is left in the buffer would fail again at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _messages() -> Iterator[None]:
    before = sys.stdout
    if before is not None:  # closed by the caller: >&-
        sys.stdout = _Messages(before)
    try:
        yield
    finally:
        if before is not None:
            sys.stdout.flush()
            sys.stdout = before


def compile_cache(folder: str | os.PathLike | None = None) -> None:
    """Keeps compiled programs between runs, under ~/.cache/vasa_jax unless JAX_COMPILATION_CACHE_DIR is set.

    One folder per kind of processor: programs compiled for CPU use its instruction set. Where there is no home, or none
    that can be written, every run compiles.
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
        home = paths.user_folder("XDG_CACHE_HOME", ".cache")
        if home is None:
            logging.info("no compile cache: no home folder")
            return
        folder = home / "vasa_jax" / hashlib.sha256(kind.encode()).hexdigest()[:12]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        logging.info("no compile cache: %s", error)
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def call(
    main: Main,
    argv: list[str],
    *,
    info: Help | None = None,
    takes_arguments: bool = False,
    preempted: int | None = None,
) -> int:
    """Parses flags, calls main, writes the report; returns the exit code.

    Args:
      info: what --help prints.
      preempted: exit code where a signal ended it; by default that of the signal.
    """
    absl_app.define_help_flags()
    if command_help.asked(argv[1:]):  # before flags are parsed: a wrong one, or a broken --config, must not hide it
        print(command_help.text(main, argv[0], info or Help(), [REPORT.name]), end="")
        return EXIT_OK
    with _messages():
        code = _parse(argv, takes_arguments)
        if code is not None:
            return code
        if flags.FLAGS["verbosity"].using_default_value:
            logging.set_verbosity(logging.WARNING)
        stop = stopping.Stop(preempted, files.discard_unfinished)
        try:
            with stop:
                return _work(main)
        except BaseException as error:  # a library may make another exception of the one that stops it
            if stop.number is None and not isinstance(error, KeyboardInterrupt):
                raise
            files.discard_unfinished()
            print("interrupted", file=sys.stderr)
            return stop.code if stop.number is not None else EXIT_INTERRUPTED


def _work(main: Main) -> int:
    try:
        if REPORT.value:
            _check_report(REPORT.value)
        result = main()
        code, report = result if isinstance(result, tuple) else (EXIT_OK, result)
        if REPORT.value:
            _write_report(REPORT.value, report or {})
        return code
    except UserError as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        return error.exit_code


def run(main: Main, *, info: Help | None = None, takes_arguments: bool = False, preempted: int | None = None) -> None:
    """Console script body: never returns. `takes_arguments`: positional words are left in app.arguments."""
    code = call(main, sys.argv, info=info, takes_arguments=takes_arguments, preempted=preempted)
    for number in stopping.SIGNALS:  # all is done or undone: a signal must not give the interpreter's end another code
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)
