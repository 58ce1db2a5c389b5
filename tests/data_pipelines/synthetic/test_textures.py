"""The atlas: coordinates invert, paint lands where the layout says."""

import numpy as np

from data_pipelines.synthetic import head_mesh, textures
from data_pipelines.synthetic.traits import sample


def test_the_head_fits_its_part_of_the_atlas():
    at = textures.layout_coordinates(head_mesh.skin().layout)
    assert at.min() > 0
    assert at.max() < 1


def test_patches_do_not_overlap():
    taken = np.zeros((64, 80), int)
    taken[:, :64] += 1
    for left, top, width, height in textures.PATCHES.values():
        x0, y0, x1, y1 = (round(v * 64) for v in (left, top, left + width, top + height))
        taken[y0:y1, x0:x1] += 1
    assert taken.max() == 1
    assert taken.shape == (64, 80)


def test_lips_have_the_colour_of_the_lips():
    mesh = head_mesh.skin()
    traits = next(t for t in map(sample, range(60)) if t.makeup > 0.5 and t.skin.mean() > 0.6)
    atlas = textures.paint(traits, 512, np.concatenate([mesh.layout, -np.ones((len(mesh.layout), 1))], -1))
    assert atlas.shape == (512, 640, 3)
    lip = (mesh.layout[mesh.rings["lips_outer"]].mean(0) + [0, 0.045]).reshape(1, 2)
    x, y = (textures.layout_coordinates(lip)[0] * 512).astype(int)
    colour = atlas[y, x]
    assert np.abs(colour - traits.lips).max() < np.abs(colour - traits.skin).max()


def test_smooth_noise_has_unit_order_variance():
    noise = textures.smooth_noise(np.random.default_rng(0), 64, 96, 12)
    assert noise.shape == (64, 96)
    assert 0.4 < noise.std() < 1.3
