import numpy as np
from PIL import Image

from experiments.evaluation import filmstrip


def test_real_above_made_every_sixth(tmp_path):
    real = np.stack([np.full((8, 8, 3), k, np.uint8) for k in range(13)])
    strip = filmstrip.filmstrip(real[0] + 99, real, real + 100)
    assert strip.shape == (16, 8 + filmstrip._GAP + 3 * 8, 3)
    columns = strip[:, 8 + filmstrip._GAP :: 8, 0]
    assert strip[0, 0, 0] == 99 and columns[0].tolist() == [0, 6, 12] and columns[8].tolist() == [100, 106, 112]
    filmstrip.save(tmp_path / "new" / "strips.png", [strip, strip[:, :20]])
    assert Image.open(tmp_path / "new" / "strips.png").size == (strip.shape[1], 2 * (16 + filmstrip._GAP))
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_sheet_has_a_title_over_every_column(tmp_path):
    rows = [np.full((3, 40, 40, 3), 200, np.uint8)] * 2
    sheet = filmstrip.sheet(rows, ("a", "b", "c"))
    assert sheet.shape == (96, 120, 3) and (sheet[16:] == 200).all() and sheet[:16].min() < 100
    filmstrip.save(tmp_path / "sheet.jpg", [sheet])
    assert (tmp_path / "sheet.jpg").read_bytes()[:2] == b"\xff\xd8"
