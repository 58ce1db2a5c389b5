"""VoxCeleb2: interviews of 6,112 celebrities (Chung, Nagrani and Zisserman 2018)."""
