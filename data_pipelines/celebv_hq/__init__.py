"""CelebV-HQ: celebrities with facial attributes (Zhu et al. 2022)."""
