"""A few damaged uploads to a listening server; hundreds by `python -m tests.serve.fuzz_uploads`."""

import pytest

pytest.importorskip("websockets", reason="needs the extra `serve`")
pytest.importorskip("uvicorn", reason="needs the extra `serve`")

from tests.serve import fuzz_uploads


@pytest.mark.heavy
def test_a_few_of_every_format(tmp_path):
    with fuzz_uploads.server(tmp_path) as (url, new, folder):
        rows = {form: fuzz_uploads.fuzz(form, 10, 0, url, new, tmp_path) for form in fuzz_uploads.FORMATS}
        assert not any(row["faults"] for row in rows.values()), rows
        assert all(sum(row["posts"].values()) == 10 for row in rows.values())
        assert {"202", "415"} <= {status for row in rows.values() for status in row["posts"]}, rows
        assert {"ready", "422"} <= {status for row in rows.values() for status in row.get("starts", {})}, rows
        assert not fuzz_uploads.left(folder)
