"""TFDS builder; what the data set is stands in `data_pipelines.prepared_folder.prepared_folder`."""

from data_pipelines.prepare import builder
from data_pipelines.prepared_folder import prepared_folder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = prepared_folder.DATA_SET
