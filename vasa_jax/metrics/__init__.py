"""One file per metric: pure functions of arrays, in NumPy, with the unit and the direction of each in its docstring."""
