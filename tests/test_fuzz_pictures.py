"""Damaged images are used or refused with a line: no traceback, no crash, no hang, bounded memory."""

import pytest

from tests import fuzz_pictures


@pytest.mark.parametrize("kind", fuzz_pictures.FORMATS)
def test_a_few_damaged_images(tmp_path, kind):
    tally = fuzz_pictures.fuzz(kind, 25, str(tmp_path))
    assert not tally.faults
    assert tally.used + tally.refused == 25 and tally.refused
    assert tally.used or kind == "png"  # whose check sums tell of nearly all damage


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz_pictures.FORMATS)
def test_five_hundred_damaged_images(tmp_path, kind):
    tally = fuzz_pictures.fuzz(kind, 500, str(tmp_path))
    assert not tally.faults
    assert tally.used + tally.refused == 500
