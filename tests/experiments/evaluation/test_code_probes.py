import numpy as np

from experiments.evaluation import code_probes


def clip(speaker, rng, leak):
    yaw = rng.normal(0, 0.1, 20)
    labels = {"pose": np.zeros((20, 7)), "mouth": rng.normal(size=(20, 2)), "lids": rng.normal(size=(20, 2))}
    labels["pose"][:, 1], labels["eyes"] = yaw, np.stack([-yaw, rng.normal(size=20)], -1)
    codes = rng.normal(size=(20, 5)) + leak * np.eye(5)[ord(speaker) - ord("a")]
    codes[:, 4] += leak * yaw
    return code_probes.ProbedClip(speaker, codes, labels)


def test_real_clips_and_what_exact_labels_tell():
    for leak in (0.0, 30.0):
        rng = np.random.default_rng(0)
        found = code_probes.probe_clips([clip(name, rng, leak) for name in "abc" for _ in range(4)])
        assert (found["identity_accuracy"] > 0.9) == (found["yaw_explained"] > 0.3) == bool(leak)
        assert found["speakers"] == 3 and found["clips"] == 12
        assert found["yaw_explained_by_labels"] > 0.9  # eyes that stay with the viewer tell of the head


def test_too_few_clips():
    rng = np.random.default_rng(0)
    assert code_probes.probe_clips([clip("a", rng, 0), clip("a", rng, 0), clip("b", rng, 0)]) is None
