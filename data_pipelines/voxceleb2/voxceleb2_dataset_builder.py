"""TFDS builder; what the data set is stands in `data_pipelines.voxceleb2.voxceleb2`."""

from data_pipelines.prepare import builder
from data_pipelines.voxceleb2 import voxceleb2


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = voxceleb2.DATA_SET
