"""TFDS builder; what the data set is stands in `data_pipelines.portraits.portraits`."""

from data_pipelines.portraits import portraits
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = portraits.DATA_SET
