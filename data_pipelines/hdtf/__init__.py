"""HDTF: addresses of politicians in high definition (Zhang et al. 2021)."""
