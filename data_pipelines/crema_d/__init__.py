"""CREMA-D: actors who speak with six emotions (Cao et al. 2014)."""
