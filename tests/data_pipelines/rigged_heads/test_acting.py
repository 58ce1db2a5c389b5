"""Performances of rigged heads."""

import numpy as np

from data_pipelines.rigged_heads import acting
from data_pipelines.synthetic import phonemes as ph
from data_pipelines.synthetic import voice


def _perform(sounds: list[str], frames: int, seed: int = 0) -> tuple[voice.Speech, acting.Take]:
    speech = voice.synthesise(sounds, seed=seed)
    return speech, acting.perform(speech, frames, np.random.default_rng(seed))


def test_every_sound_has_a_look_of_known_visemes():
    assert set(acting.LOOKS) == set(ph.NAMES)
    used = {name for look in acting.LOOKS.values() for name in look}
    assert set(acting.VISEMES) <= used <= {*acting.VISEMES, "MouthOpen", "Up_tg", "OutMiddle_tg"}


def test_lips_meet_for_m_and_open_for_aa():
    sounds = ["sil", *["m", "m", "aa", "aa"] * 10, "sil"]
    speech, take = _perform(sounds, 90)
    said = voice.frame_phonemes(speech.segments, 90)
    wide, shut = take.weights["AE_AA"], take.weights["MPB_Up"]
    of = {name: said == ph.INDEX[name] for name in ("m", "aa")}
    assert wide[of["aa"]].mean() > 2 * wide[of["m"]].mean()
    assert shut[of["m"]].mean() > 2 * shut[of["aa"]].mean()


def test_sounds_blend_into_each_other():
    _, take = _perform(["sil", "aa", "aa", "aa", "iy", "iy", "iy"], 25)
    steps = np.abs(np.diff(take.weights["AE_AA"]))
    assert 0 < steps.max() < 0.6 * take.weights["AE_AA"].max()


def test_turns_stay_in_their_range_and_blinks_close_the_eye():
    closed = []
    for seed in range(12):
        _, take = _perform(["sil", "aa"] * 30, 100, seed)
        assert (np.abs(take.rotation) <= acting.TURNS).all() and (np.abs(take.eyes) < 0.6).all()
        assert all(np.isfinite(track).all() and (track >= 0).all() for track in take.weights.values())
        closed.append(take.weights["ReyeClose"].max())
    assert max(closed) > 0.99


def test_it_is_a_pure_function_of_its_arguments():
    one, two = (_perform(["sil", "aa", "m"], 20, 3)[1] for _ in range(2))
    assert all((one.weights[name] == two.weights[name]).all() for name in one.weights)
    np.testing.assert_array_equal(one.rotation, two.rotation)


def test_a_happy_take_smiles_more_than_a_neutral_one():
    smiles, happiness = [], []
    for seed in range(40):
        _, take = _perform(["sil", "aa"], 10, seed)
        smiles.append((take.weights["RsmileOpen"] + take.weights["RsmileClose"]).mean())
        happiness.append(take.emotion[0, 4])
    assert np.corrcoef(smiles, happiness)[0, 1] > 0.8
