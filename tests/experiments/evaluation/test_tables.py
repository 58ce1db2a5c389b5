import json

import numpy as np

from experiments.evaluation import tables


def test_plain_is_json():
    value = {"a": np.float32(np.nan), "b": np.arange(2), "c": (True, np.bool_(False), np.int64(3)), "d": None}
    value["e"] = 1 / 3
    found = json.loads(json.dumps(tables.plain(value), allow_nan=False))
    assert found == {"a": None, "b": [0, 1], "c": [True, False, 3], "d": None, "e": 0.333333}


def test_summaries_leave_out_what_is_not_known():
    rows = [{"speaker": "a", "x": 1.0}, {"speaker": "b"}, {"speaker": "a", "x": 3.0}]
    found = tables.by_speaker(rows, lambda group: tables.summarise(group, ["x"])["x"])
    assert found["all"]["mean"] == 2.0 and found["all"]["n"] == 2 and found["speakers"]["b"]["n"] == 0


def test_cells_and_columns(capsys):
    assert tables.cell(None) == tables.cell(float("nan")) == "-"
    assert tables.cell({"mean": 0.5, "low": 0.4, "high": 0.6}, 2) == "0.50 [0.40 0.60]"
    tables.show("title", ["", "n"], [["long name", "1"], ["b", "22"]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "title" and len(set(map(len, lines[2:]))) == 1
