"""Folders of files that say nothing: looking for videos opens none of them."""

import pathlib


def touch(root: pathlib.Path, *names: str) -> None:
    """Makes empty files at these places below the folder, and the folders they lie in."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def write(root: pathlib.Path, texts: dict[str, str]) -> None:
    """Makes text files: place below the folder -> what they say."""
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
