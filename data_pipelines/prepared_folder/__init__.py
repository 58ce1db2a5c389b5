"""A folder of anybody's own videos."""
