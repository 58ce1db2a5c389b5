"""MEAD: actors who speak with eight emotions (Wang et al. 2020)."""
