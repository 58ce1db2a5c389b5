"""TFDS builder; what the data set is stands in `data_pipelines.hdtf.hdtf`."""

from data_pipelines.hdtf import hdtf
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = hdtf.DATA_SET
