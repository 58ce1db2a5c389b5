"""vasa-verify's contract: 0 marked and intact, 1 not, 3 unreadable, 2 wrong use."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from tests.test_media import write_video
from vasa_jax.provenance import credentials, keys

ROOT = Path(__file__).resolve().parents[2]


def verify(*arguments, keys_at):
    environment = os.environ | {"VASA_KEYS": str(keys_at), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "experiments.verify", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def test_exit_codes(tmp_path, monkeypatch):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "keys"))
    plain = write_video(tmp_path / "plain.mp4", [np.zeros((64, 64, 3), np.uint8)] * 3)
    (tmp_path / "signed.mp4").write_bytes(plain.read_bytes())
    credentials.sign(tmp_path / "signed.mp4", {"seed": 11}, keys.signing_key(), "1")
    data = bytearray((tmp_path / "signed.mp4").read_bytes())
    data[data.index(b"mdat") + 200] ^= 1
    (tmp_path / "broken.mp4").write_bytes(data)
    (tmp_path / "text.mp4").write_text("text")
    report = tmp_path / "report.json"

    signed = verify(tmp_path / "signed.mp4", f"--report={report}", keys_at=tmp_path / "keys")
    assert signed.returncode == 0 and "intact" in signed.stdout and "seed: 11" in signed.stdout
    assert json.loads(report.read_text())["intact"] is True
    for name, code, words in (
        ("plain.mp4", 1, "no mark"),
        ("broken.mp4", 1, "BROKEN"),
        ("text.mp4", 3, "not a readable"),
    ):
        done = verify(tmp_path / name, keys_at=tmp_path / "keys")
        assert done.returncode == code and words in done.stdout + done.stderr and "Traceback" not in done.stderr
    assert verify(keys_at=tmp_path / "keys").returncode == 2
