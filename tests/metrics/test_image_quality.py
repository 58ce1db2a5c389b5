import numpy as np
import pytest
import scipy.ndimage

from vasa_jax.metrics import image_quality


def images(seed):
    return np.random.default_rng(seed).integers(0, 256, (3, 20, 24, 3), np.uint8)


def test_equal_images():
    a = images(0)
    assert image_quality.psnr(a, a).tolist() == [100.0] * 3
    assert image_quality.ssim(a, a) == pytest.approx(np.ones(3))


def test_psnr_of_a_constant_error():
    a = np.full((8, 8, 3), 100, np.uint8)
    assert image_quality.psnr(a + np.uint8(51), a) == pytest.approx(20 * np.log10(5))


def test_ssim_is_the_formula():
    a, b = images(1)[0], images(2)[0]
    x, y = a / 255.0, b / 255.0

    def mean(z):
        return scipy.ndimage.gaussian_filter(z, (1.5, 1.5, 0), truncate=5 / 1.5)[5:-5, 5:-5]

    mx, my = mean(x), mean(y)
    vx, vy, c = mean(x * x) - mx**2, mean(y * y) - my**2, mean(x * y) - mx * my
    expected = (2 * mx * my + 1e-4) * (2 * c + 9e-4) / ((mx**2 + my**2 + 1e-4) * (vx + vy + 9e-4))
    assert image_quality.ssim(a, b) == pytest.approx(expected.mean(), rel=1e-6)
