"""A run goes to another machine in small pieces: all that is needed to go on, and nothing that was damaged."""

import numpy as np
import pytest

from experiments import carry
from vasa_jax.errors import InputError

SIZE = 20_000


def run(folder):
    """The files of a recipe's folder, as far as their names matter; returns those that are needed."""
    rng = np.random.default_rng(0)
    needed = ["recipe.json", "face/metrics.jsonl", "face/checkpoints/200/state/d/x", "data/heads/a.array_record"]
    others = ["face/checkpoints/100/state/d/x", "face/pictures/1.png", "logs/face.log", "face/events.out.tfevents.1"]
    for name in needed + others:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(30_000))
    (folder / "linked").symlink_to(folder / "recipe.json")
    return {name: (folder / name).read_bytes() for name in [*needed, "linked"]}


def test_what_is_needed_comes_out_of_small_pieces_as_it_went_in(tmp_path):
    needed = run(tmp_path / "run")
    about = carry.pack(tmp_path / "run", tmp_path / "pieces", SIZE)
    sizes = [path.stat().st_size for path in (tmp_path / "pieces").glob("*.piece")]
    assert len(sizes) == len(about["pieces"]) > 5 and max(sizes) <= SIZE
    carry.unpack(tmp_path / "pieces", tmp_path / "there")
    found = {path.relative_to(tmp_path / "there").as_posix(): path for path in (tmp_path / "there").rglob("*")}
    assert {name: path.read_bytes() for name, path in found.items() if path.is_file()} == needed
    assert not found["linked"].is_symlink()


def test_fewer_pieces_leave_no_old_ones_behind(tmp_path):
    run(tmp_path / "run")
    carry.pack(tmp_path / "run", tmp_path / "pieces", SIZE)
    about = carry.pack(tmp_path / "run", tmp_path / "pieces", 10 * SIZE)
    assert {path.name for path in (tmp_path / "pieces").iterdir()} == {*about["pieces"], carry.NAME}


@pytest.mark.parametrize(("harm", "said"), [("cut", "has 7 bytes"), ("gone", "is missing"), ("flipped", "SHA-256")])
def test_a_piece_that_is_not_whole_is_named_and_nothing_is_written(tmp_path, harm, said):
    run(tmp_path / "run")
    carry.pack(tmp_path / "run", tmp_path / "pieces", SIZE)
    piece = tmp_path / "pieces" / "00002.piece"
    data = bytearray(piece.read_bytes())
    data[5] ^= 1
    piece.unlink() if harm == "gone" else piece.write_bytes(data[:7] if harm == "cut" else data)
    with pytest.raises(InputError, match=f"00002.piece .*{said}.*bring it again"):
        carry.unpack(tmp_path / "pieces", tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no files"):
        carry.pack(tmp_path, tmp_path / "pieces", SIZE)
