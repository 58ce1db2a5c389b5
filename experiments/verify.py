"""Tells whether a video carries this project's marks: exit code 0 credentials intact or watermark found, 1 neither,
3 unreadable."""

from typing import Any

from experiments.common import app
from vasa_jax.errors import UsageError

EXIT_NO_MARK = 1


def main() -> tuple[int, dict[str, Any]]:
    """Prints the verdict and what the credentials say."""
    if len(app.arguments) != 1:
        raise UsageError("give one file: vasa-verify FILE")
    from vasa_jax.provenance.verify import verify

    verdict = verify(app.arguments[0])
    print(verdict.text)
    for name, value in (verdict.generation or {}).items():
        print(f"  {name}: {value}")
    return (0 if verdict.ours else EXIT_NO_MARK), verdict.report()


HELP = app.Help(example="talking.mp4")


def run() -> None:
    """Console script."""
    app.run(main, info=HELP, takes_arguments=True)


if __name__ == "__main__":
    run()
