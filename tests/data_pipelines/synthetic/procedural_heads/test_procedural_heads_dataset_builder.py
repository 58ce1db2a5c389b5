"""The TFDS builder end to end, tiny."""

import numpy as np

from data_pipelines import schema
from data_pipelines.synthetic.procedural_heads import procedural_heads_dataset_builder as heads


def test_builds_and_reads_back(tmp_path):
    builder = heads.Builder(
        data_dir=tmp_path, config="tiny_64", amounts={"identities": 12, "frames": 2}, file_format="array_record"
    )
    builder.download_and_prepare()
    assert {name: s.num_examples for name, s in builder.info.splits.items()} == {
        "train": 10,
        "validation": 1,
        "test": 1,
    }
    examples = list(builder.as_data_source("train"))
    assert len({bytes(e["speaker"]) if isinstance(e["speaker"], bytes) else e["speaker"] for e in examples}) == 10
    first = examples[0]
    assert schema.decode_jpeg(first["frames"][0]).shape == (80, 80, 3)
    assert np.asarray(first["landmarks"]).shape == (2, 140, 3)
    assert np.asarray(first["audio"]).shape == (1280,)


def test_configurations_are_those_of_the_schema():
    for config in heads.Builder.BUILDER_CONFIGS:
        assert schema.RESOLUTIONS[config.name] == config.resolution
