"""Does every way of spreading a train step train the same? `python -m experiments.equality`"""
