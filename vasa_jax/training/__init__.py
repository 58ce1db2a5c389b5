"""Training: tasks as values, one pure train step, one loop that drives every task."""
