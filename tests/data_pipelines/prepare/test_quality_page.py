"""The page and the contact sheets hold what they should, and nothing that a file name could smuggle in."""

import os

import numpy as np
import pytest
from PIL import Image

from data_pipelines.prepare import backends, local, process, quality_page, results, sheets, steps
from data_pipelines.prepare.source import Source


@pytest.fixture
def found(heads, tmp_path):
    """Three clips of two speakers, one copy, one without a face."""
    sources = [
        Source(heads.write(f"{speaker}_{clip}", seed=seed, **track), f"{speaker}_{clip}", speaker)
        for speaker, clip, seed, track in (
            ("s1", "a", 0, {}),
            ("s1", "b", 1, {}),
            ("s<2>", "c", 2, {}),
            ("s<2>", "copy", 0, {}),
            ("s<2>", "none", 3, {"valid": np.zeros(75, bool)}),
        )
    ]
    job = steps.Job(tmp_path / "staged", backends.Spec(landmarks=os.fspath(heads.tracks)), process.Options(size=80))
    local.run(sources, job, 1, lambda outcome: None)
    return results.Results(job, sources)


def test_quality_page_and_sheets(found, tmp_path):
    quality = found.quality()
    assert quality["kept"] == ["s1_a", "s1_b", "s<2>_c"]
    assert quality["reasons"] == {"duplicate": 1, "no face": 1}
    assert quality["speakers"]["s<2>"] == {"kept": 1, "dropped": 2, "seconds": 3.0}
    assert found.produce(found.sources[3]).examples == []
    page = quality_page.render("mine", quality, found)
    assert "<2>" not in page and "s&lt;2&gt;_none" in page and "same recording as s1_a" in page
    assert page.count("<svg") == len(results.HISTOGRAMS) and "http" not in page.replace("http://www.w3.org", "")
    assert page.count('class="thumbnails"') == 1 and page.count("data:image/jpeg") == 3 + 1  # copies have no image
    paths = sheets.write(tmp_path / "sheets", found)
    assert [p.name for p in paths] == ["s1.jpg", "s<2>.jpg"]
    sheet = Image.open(paths[0])
    assert sheet.size == (sheets.COLUMNS * sheets.TILE, 2 * (sheets.TILE + 16))


def test_evenly():
    assert sheets.evenly(list(range(100)), 3) == [0, 50, 99]
    assert sheets.evenly([1, 2], 12) == [1, 2]
    assert sheets.evenly([], 3) == []
