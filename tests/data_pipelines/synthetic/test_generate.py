"""Splits share no identity, and the builder writes what the reader expects."""

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.synthetic import generate


def test_splits_partition_the_identities():
    splits = [generate.split_of(i) for i in range(240)]
    assert [splits.count(s) for s in generate.SPLITS] == [200, 20, 20]


def test_examples_come_in_order_and_fit_the_schema():
    tasks = [(0, 1, 3, 48), (1, 1, 3, 48), (0, 2, 3, 48)]
    made = list(generate.examples(tasks))
    assert [e["clip_id"] for e in made] == ["head000001_0000", "head000001_0001", "head000002_0000"]
    image = schema.decode_jpeg(made[0]["frames"][0])
    assert image.shape == (48, 48, 3)
    assert np.abs(made[0]["audio"]).max() <= 1


@pytest.mark.slow
def test_processes_do_not_change_the_result():
    tasks = [(0, i, 2, 48) for i in range(3)]
    for one, two in zip(generate.examples(tasks, 1), generate.examples(tasks, 2), strict=True):
        assert one["frames"] == two["frames"]
        np.testing.assert_array_equal(one["audio"], two["audio"])
