"""The GRID audio-visual corpus (Cooke et al. 2006)."""
