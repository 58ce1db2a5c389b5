"""Mutated recordings and videos are used or refused with a line: no traceback, no hang, bounded memory."""

import pytest

from tests import fuzz_sound


@pytest.mark.parametrize("form", fuzz_sound.FORMATS)
def test_a_few_mutated_files(tmp_path, form):
    found = fuzz_sound.readers(tmp_path, form, 0, 40)
    assert found.get("refused", 0) > 0 and found.get("used", 0) > 0  # else nothing was put to the test


@pytest.mark.slow
@pytest.mark.parametrize("form", fuzz_sound.FORMATS)
def test_many_mutated_files(tmp_path, form):
    fuzz_sound.readers(tmp_path, form, 1000, 500)


@pytest.mark.slow
@pytest.mark.parametrize("form", fuzz_sound.FORMATS)
def test_mutated_files_through_the_command(tmp_path, form):
    fuzz_sound.commands(tmp_path, form, 2000, 20)
