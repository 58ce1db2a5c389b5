"""Hair grows on the scalp and not on the face."""

import dataclasses

import numpy as np

from data_pipelines.synthetic import hair, head_mesh
from data_pipelines.synthetic.traits import sample


def test_crown_is_hairy_and_nose_is_not():
    mesh = head_mesh.skin()
    crown = int(np.argmin(mesh.points[:, 1]))
    nose = int(np.argmin(mesh.points[:, 2]))
    for style in ("buzz", "short", "side", "afro", "bob", "long", "bun"):
        traits = dataclasses.replace(sample(3), hair_style=style)
        value = hair.growth(traits, mesh.points)
        height = hair.lift(traits, mesh.points, value)
        assert value[crown] > 0 > value[nose]
        assert height[crown] > 0 > height[nose]


def test_the_bald_have_none():
    traits = dataclasses.replace(sample(3), hair_style="bald")
    assert (hair.growth(traits, head_mesh.skin().points) < 0).all()


def test_beards_leave_the_lips_free():
    mesh = head_mesh.skin()
    height = hair.beard_lift(dataclasses.replace(sample(3), beard=0.8), mesh.layout)
    assert (height[mesh.rings["lips_outer"]] < 0).all()
    chin = int(np.argmax(np.where(np.arange(len(mesh.points)) < mesh.face_count, mesh.layout[:, 1], -9)))
    assert height[chin] > 0
