"""Parts of the head and body besides the skin: plain parametric surfaces in the canonical head frame.

Each function gives points [v, 3], triangles [f, 3] (clockwise from outside) and patch coordinates [v, 2] in 0..1.
"""

import numpy as np

Part = tuple[np.ndarray, np.ndarray, np.ndarray]


def grid_triangles(rows: int, columns: int, closed: bool = False) -> np.ndarray:
    """Triangles of a grid of vertices numbered row by row; clockwise if columns go right and rows go down."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij")
    a, b = i * columns + j, i * columns + (j + 1) % columns
    c, d = a + columns, b + columns
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])


def eyeball() -> Part:
    """The front of a unit sphere whose pole looks to -z; the patch shows it from the front."""
    rings, around = 12, 24
    polar = np.linspace(0, 1, rings)[:, None] ** 0.9 * 1.75
    azimuth = np.arange(around)[None] / around * 2 * np.pi
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    z = -np.cos(polar) * np.ones_like(azimuth)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    radius = (polar / 1.75 * 0.5) * np.ones_like(azimuth)
    patch = np.stack([0.5 + radius * np.cos(azimuth), 0.5 + radius * np.sin(azimuth)], -1).reshape(-1, 2)
    return points, grid_triangles(rings, around, closed=True)[:, ::-1], patch


def ear(side: int, size: float, out: float) -> Part:
    """A shell with a raised rim; side +1 is on the image's right."""
    rings, around = 6, 18
    r = np.linspace(0.12, 1, rings)[:, None]
    a = np.arange(around)[None] / around * 2 * np.pi
    squash = 1 - 0.22 * np.sin(a) * (np.sin(a) > 0)  # a narrower lobe
    depth = r * np.cos(a) * squash
    height = r * np.sin(a)
    bowl = 0.030 * np.exp(-(((r - 0.85) / 0.16) ** 2)) - 0.022 * np.exp(-((r / 0.45) ** 2)) - 0.05 * (r > 0.99)
    flare = (0.055 + 0.03 * out) * (depth + 0.7)
    x = side * (0.565 + flare + bowl)
    y = -0.02 + 0.185 * size * height
    z = 0.47 + 0.105 * size * depth + 0.03 * height * -1
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    triangles = grid_triangles(rings, around, closed=True)
    patch = np.stack([0.5 + 0.45 * r * np.cos(a), 0.5 + 0.45 * r * np.sin(a)], -1).reshape(-1, 2)
    return points, triangles if side < 0 else triangles[:, ::-1], patch


def teeth(upper: bool) -> Part:
    """A row of teeth; the patch runs along the arch, gum to edge for the upper row."""
    columns, rows = 17, 4
    x = np.linspace(-0.145, 0.145, columns)[None]
    v = np.linspace(0, 1, rows)[:, None]
    y = (0.300 + 0.078 * v if upper else 0.382 + 0.062 * v) * np.ones_like(x)
    z = (-0.176 if upper else -0.166) + 3.2 * x**2 + 0.012 * (v - 0.6) ** 2 * np.ones_like(x)
    x = x * (1 if upper else 0.93) * np.ones_like(v)
    patch = np.stack(np.broadcast_arrays((np.arange(columns)[None]) / (columns - 1), v), -1).reshape(-1, 2)
    return np.stack([x, y, z], -1).reshape(-1, 3), grid_triangles(rows, columns), patch


def tongue() -> Part:
    """The upper side of a tongue lying in the lower jaw."""
    rows, columns = 7, 9
    v, u = np.linspace(0, 1, rows)[:, None], np.linspace(-1, 1, columns)[None]
    x = 0.10 * u * np.sqrt(np.clip(1 - (1 - v) ** 4, 0.02, 1))
    y = 0.428 - 0.055 * (1 - u**2) * np.minimum(1, 3 * v) + 0.01 * np.exp(-((u / 0.2) ** 2))
    z = -0.155 + 0.30 * v * np.ones_like(u)
    points = np.stack(np.broadcast_arrays(x, y, z), -1).reshape(-1, 3)
    patch = np.stack(np.broadcast_arrays(0.5 + 0.4 * u, 0.1 + 0.8 * v), -1).reshape(-1, 2)
    return points, grid_triangles(rows, columns), patch


def neck(thickness: float) -> tuple[Part, np.ndarray]:
    """The neck, and how much each vertex follows the shoulders (0 head .. 1 shoulders)."""
    rings, around = 9, 28
    v = np.linspace(0, 1, rings)[:, None]
    a = np.arange(around)[None] / around * 2 * np.pi
    radius = (0.30 + 0.025 * thickness) * (1 + 0.25 * np.clip(v - 0.6, 0, 1) ** 1.5 * 2)
    x, z = radius * np.sin(a), 0.52 + 0.02 * v + radius * 1.02 * -np.cos(a)
    y = 0.22 + 1.0 * v * np.ones_like(a)
    points = np.stack(np.broadcast_arrays(x, y, z), -1).reshape(-1, 3)
    patch = np.stack(np.broadcast_arrays(np.abs((a / np.pi) - 1), v), -1).reshape(-1, 2)
    follow = np.clip((v - 0.25) / 0.6, 0, 1) ** 1.3 * np.ones_like(a)
    return (points, grid_triangles(rings, around, closed=True), patch), follow.reshape(-1)


def shoulders(width: float, collar: float) -> Part:
    """Chest and shoulders under a shirt whose collar is `collar` high."""
    around = 36
    profile = np.array([[0.98 - collar, 0.345, 0.355], [1.02, 0.42, 0.40], [1.06, 0.62, 0.46], [1.13, 0.90, 0.50],
                        [1.26, 1.12, 0.54], [1.55, 1.22, 0.56], [2.4, 1.25, 0.58]])  # fmt: skip
    a = np.arange(around)[None] / around * 2 * np.pi
    y, rx, rz = (profile[:, i : i + 1] for i in range(3))
    wide = 1 + width * np.clip((y - 1.05) * 4, 0, 1)
    x, z = rx * wide * np.sin(a), 0.54 - rz * np.cos(a)
    dip = 0.16 * (np.cos(a) > 0) * np.cos(a) ** 2 * np.exp(-(((y - 1.1) / 0.16) ** 2))
    points = np.stack(np.broadcast_arrays(x, y + dip, z), -1).reshape(-1, 3)
    patch = np.stack(np.broadcast_arrays(0.5 + 0.49 * x / 1.7, np.clip((y - 0.9) / 1.5, 0, 1)), -1).reshape(-1, 2)
    return points, grid_triangles(len(profile), around, closed=True), patch


def curtain(front: float, end: float, volume: float, wave: float, inward: float) -> Part:
    """Hair that hangs from temple to temple around the back, from the crown's side down to y = end."""
    rows, columns = 12, 44
    v = np.linspace(0, 1, rows)[:, None]
    a = np.linspace(front, 2 * np.pi - front, columns)[None]
    y = -0.42 + (end + 0.42) * v * np.ones_like(a)
    bulge = volume * np.sin(np.clip(v * 1.2, 0, 1) * np.pi * 0.6) + 0.02
    narrow = 1 - inward * v**2
    rx, rz = (0.57 + bulge) * narrow, (0.68 + bulge) * (1 - 0.35 * v**1.5)
    ripple = 1 + wave * np.sin(9 * a + 5 * v) * v
    x, z = rx * np.sin(a) * ripple, 0.44 - rz * np.cos(a) * ripple
    y = y + 0.05 * np.sin(5 * a) * v
    points = np.stack(np.broadcast_arrays(x, y, z), -1).reshape(-1, 3)
    patch = np.stack(np.broadcast_arrays((a - front) / (2 * np.pi - 2 * front), v), -1).reshape(-1, 2)
    return points, grid_triangles(rows, columns)[:, ::-1], patch


def bun(height: float) -> Part:
    """A ball of hair on the back of the crown."""
    rings, around = 9, 16
    p = np.linspace(0, np.pi, rings)[:, None]
    a = np.arange(around)[None] / around * 2 * np.pi
    x, y = 0.24 * np.sin(p) * np.cos(a), 0.20 * np.sin(p) * np.sin(a)
    z = -0.22 * np.cos(p) * np.ones_like(a)
    points = np.stack([x, y - 0.93 * height, z + 0.62 + 0.4 * (1 - height)], -1).reshape(-1, 3)
    patch = np.stack(np.broadcast_arrays(0.5 + 0.4 * np.cos(a), p / np.pi), -1).reshape(-1, 2)
    return points, grid_triangles(rings, around, closed=True)[:, ::-1], patch


def glasses(size: float, square: float) -> Part:
    """Two rims, a bridge and temples, of flat ribbon."""
    around = 28
    a = np.arange(around) / around * 2 * np.pi
    points, triangles, count = [], [], 0
    power = 2 / (2 + 4 * square)
    cx, cy = np.abs(np.cos(a)) ** power * np.sign(np.cos(a)), np.abs(np.sin(a)) ** power * np.sign(np.sin(a))
    for side in (-1, 1):
        for scale in (1.0, 1.16):
            x = side * 0.245 + 0.155 * size * scale * cx
            points.append(np.stack([x, -0.185 + 0.115 * size * scale * cy, -0.275 + 0.35 * (np.abs(x) - 0.1) ** 2], -1))
        index = count + np.arange(around)
        after = np.roll(index, -1)
        triangles += [
            np.stack([index, after, index + around], -1),
            np.stack([after, after + around, index + around], -1),
        ]
        count += 2 * around
    edge = 0.245 + 0.175 * size

    def bar(a: tuple[float, float, float], b: tuple[float, float, float]) -> None:
        nonlocal count
        down = np.array([0, 0.022, 0])
        points.append(np.array([a, b, b + down, a + down]))
        triangles.append(count + np.array([[0, 1, 2], [0, 2, 3]]))
        count += 4

    bar((-0.10, -0.225, -0.29), (0.10, -0.225, -0.29))
    for side in (-1, 1):
        bar((side * edge, -0.21, -0.21), (side * 0.60, -0.16, 0.44))
    points = np.concatenate(points)
    return points, np.concatenate(triangles), np.full((len(points), 2), 0.5)
