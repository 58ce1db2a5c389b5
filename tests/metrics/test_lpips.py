"""Against a plain NumPy reading of the paper, with random weights in the layout of the published files."""

import numpy as np
import pytest
import scipy.signal

from tests.data_pipelines.prepare.networks import stand_ins
from vasa_jax.errors import InputError
from vasa_jax.metrics import lpips

# (number in `features`, inputs, outputs, kernel, stride, padding)
ALEXNET = ((0, 3, 64, 11, 4, 2), (3, 64, 192, 5, 1, 2), (6, 192, 384, 3, 1, 1), (8, 384, 256, 3, 1, 1),
           (10, 256, 256, 3, 1, 1))  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("lpips"), np.random.default_rng(0)
    network, linear = {}, {}
    for k, (place, c, d, size, _, _) in enumerate(ALEXNET):
        network[f"features.{place}.weight"] = rng.normal(0, (c * size**2) ** -0.5, (d, c, size, size)).astype(
            np.float32
        )
        network[f"features.{place}.bias"] = rng.normal(0, 0.1, d).astype(np.float32)
        linear[f"lin{k}.model.1.weight"] = rng.uniform(0, 1, (1, d, 1, 1)).astype(np.float32)
    stand_ins.write_torch(folder / "alexnet.pth", network)
    stand_ins.write_torch(folder / "alex.pth", linear)
    return folder, network, linear


def by_hand(network, linear, a, b):
    """One pair of images in 0..255."""

    def maps(image):
        x = (image / 127.5 - 1 - [-0.030, -0.088, -0.188]) / [0.458, 0.448, 0.450]
        x, out = x.transpose(2, 0, 1), []
        for place, _, _, _, stride, padding in ALEXNET:
            if place in (3, 6):  # 3 x 3 pooling, stride 2
                views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))[:, ::2, ::2]
                x = views.max((-1, -2))
            x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
            kernel, bias = network[f"features.{place}.weight"], network[f"features.{place}.bias"]
            y = [sum(scipy.signal.correlate2d(x[c], k[c], "valid") for c in range(len(x))) for k in kernel]
            x = np.maximum(np.stack(y)[:, ::stride, ::stride] + bias[:, None, None], 0)
            out.append(x / (np.sqrt((x**2).sum(0)) + 1e-10))
        return out

    pairs = zip(maps(a), maps(b), linear.values(), strict=True)
    return sum(((x - y) ** 2 * w[0]).sum(0).mean() for x, y, w in pairs)


@pytest.mark.slow
def test_it_is_the_distance_of_the_paper(files):
    folder, network, linear = files
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 256, (2, 1, 35, 35, 3), np.uint8)
    measured = lpips.Lpips(folder / "alexnet.pth", folder / "alex.pth")(a, b)
    assert measured == pytest.approx([by_hand(network, linear, a[0], b[0])], rel=1e-4)


def test_equal_images_and_a_batch(files):
    folder, *_ = files
    measure = lpips.Lpips(folder / "alexnet.pth", folder / "alex.pth")
    a = np.random.default_rng(2).integers(0, 256, (9, 35, 35, 3), np.uint8)
    assert measure.kind == "alexnet"
    assert measure(a, a) == pytest.approx(np.zeros(9), abs=1e-6)
    assert (measure(a, a[::-1].copy())[:4] > 0.01).all()


def test_other_files_are_refused(files):
    folder, *_ = files
    with pytest.raises(InputError, match="neither AlexNet nor VGG-16"):
        lpips.Lpips(folder / "alex.pth", folder / "alex.pth")
    with pytest.raises(InputError, match="missing; fetch both"):
        lpips.Lpips(folder / "alexnet.pth", folder / "alexnet.pth")
    with pytest.raises(InputError, match="does not exist"):
        lpips.Lpips(folder / "alexnet.pth", folder / "absent.pth")
