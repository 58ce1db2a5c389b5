"""Keys are made once, private, whole; the user's own are accepted or refused with a reason."""

import stat
import threading

import pytest

from vasa_jax.errors import InputError, UsageError
from vasa_jax.provenance import keys


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "deep" / "keys"))
    return tmp_path / "deep" / "keys"


def test_made_once_and_private(home):
    first = keys.signing_key()
    assert first == keys.signing_key() and first.algorithm == "es256"
    assert {p.name for p in home.iterdir()} == {"chain.pem", "key.pem", "root.pem"}
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in home.iterdir())
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert first.chain.count(b"BEGIN CERTIFICATE") == 2
    assert b"PRIVATE" not in (home / "root.pem").read_bytes() + first.chain
    assert "PRIVATE" not in repr(first)
    assert [p.name for p in home.parent.iterdir()] == ["keys"]


def test_two_first_runs_agree(home):
    found = []
    threads = [threading.Thread(target=lambda: found.append(keys.signing_key())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len(set(found)) == 1


def test_given_keys(home, tmp_path):
    own = keys.signing_key()
    chain, key = home / "chain.pem", home / "key.pem"
    assert keys.signing_key(chain, key) == own
    with pytest.raises(UsageError, match="belong together"):
        keys.signing_key(chain, None)
    with pytest.raises(InputError, match="not a PEM certificate"):
        keys.signing_key(key, key)
    with pytest.raises(InputError, match="not an unencrypted PEM"):
        keys.signing_key(chain, chain)
    with pytest.raises(InputError, match="does not belong"):
        keys._make(tmp_path / "other")
        keys.signing_key(chain, tmp_path / "other" / "key.pem")


def test_a_folder_that_cannot_be_made_is_explained(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "file" / "keys"))
    with pytest.raises(InputError, match="VASA_KEYS"):
        keys.signing_key()
