"""Paths that cannot be used are told from their names, before anything heavy is loaded."""

import os

import pytest

from vasa_jax import paths
from vasa_jax.errors import InputError, UsageError


def test_check_file_says_what_is_wrong(tmp_path):
    (tmp_path / "empty").touch()
    for name, word in (
        ("", "folder"),
        ("missing", "does not exist"),
        ("empty", "is empty"),
        ("empty/x", "does not exist"),
    ):
        with pytest.raises(InputError, match=word):
            paths.check_file(tmp_path / name, "an image")


def test_check_output_accepts_a_writable_place_and_leaves_nothing(tmp_path):
    assert paths.check_output(tmp_path / "new.mp4") == tmp_path / "new.mp4"
    assert list(tmp_path.iterdir()) == []


def test_check_output_refuses(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match="does not exist"):
        paths.check_output(tmp_path / "missing" / "o.mp4")
    with pytest.raises(InputError, match="does not exist"):
        paths.check_output(tmp_path / "file" / "o.mp4")
    with pytest.raises(InputError, match="is a folder"):
        paths.check_output(tmp_path / "folder.mp4")
    with pytest.raises(UsageError, match="must end in .mp4"):
        paths.check_output(tmp_path / "o.gif")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_check_output_refuses_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="not writable"):
        paths.check_output(tmp_path / "o.mp4")
