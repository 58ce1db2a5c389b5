"""TFDS builder; what the data set is stands in `data_pipelines.mead.mead`."""

from data_pipelines.mead import mead
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = mead.DATA_SET
