"""Two thighs drawn by formula wherever they are put: what a CT of them would show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Geometry, Image
from leukospect.phantoms.moved_limbs import rigid_matrix

Matrix = NDArray[np.float64]
AXES = {"right": (-80.0, 6.0), "left": (82.0, -3.0)}
SHAFT_MM, LENGTH_MM = 14.0, 110.0


def motion(shift_mm: tuple[float, float, float], degrees: tuple[float, float, float], side: str) -> Matrix:
    """A motion about the middle of one femur."""
    return rigid_matrix(np.array(shift_mm), np.array(degrees), np.array([*AXES[side], 0.0]))


def thighs(
    spacing_mm: tuple[float, float, float],
    poses: dict[str, Matrix],
    *,
    nail: bool = False,
    streaks: float = 0.0,
    seed: int = 0,
) -> Image:
    """Draw a CT; `poses` take each thigh's own place to where it lies."""
    shape = tuple(round(extent / step) for extent, step in zip((260.0, 220.0, 380.0), spacing_mm, strict=True))
    assert len(shape) == 3
    first = (-190.0 + 0.3 * seed, -110.0, -130.0 - 0.7 * seed)
    geometry = Geometry.axial((shape[0], shape[1], shape[2]), spacing_mm, first, f"2.25.{seed + 1}")
    places = geometry.to_lps(np.moveaxis(np.indices(geometry.shape), 0, -1))
    hu = np.full(geometry.shape, -1000.0)
    for side, pose in poses.items():
        back = np.linalg.inv(pose)
        x, y, z = np.moveaxis(places @ back[:3, :3].T + back[:3, 3], -1, 0)
        _draw_thigh(hu, x - AXES[side][0], y - AXES[side][1], z, 1.0 if side == "left" else -1.0, nail=nail)
    rng = np.random.default_rng(seed)
    if streaks:
        metal = hu > 2500.0
        for k in np.flatnonzero(metal.any(axis=(1, 2))):
            hu[k] += streaks * _streaks(places[k], places[k][metal[k]].mean(axis=0), rng)
    hu = np.clip(hu + rng.normal(0.0, 25.0, hu.shape), -1000.0, 3071.0)
    return Image(hu.astype(np.float32), geometry, "HU")


def _inside(distance_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Part of a voxel inside a surface, from the distance beyond it."""
    return np.clip(0.5 - distance_mm / 1.5, 0.0, 1.0)


def _paint(hu: NDArray[np.float64], distance_mm: NDArray[np.float64], value: float) -> None:
    part = _inside(distance_mm)
    hu += part * (value - hu)


def _draw_thigh(
    hu: NDArray[np.float64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
    sign: float,
    *,
    nail: bool,
) -> None:
    along = np.abs(z) - LENGTH_MM
    _paint(hu, np.maximum(np.hypot(x + sign * 4.0, y) - 62.0, along - 60.0), -90.0)
    _paint(hu, np.maximum(np.hypot(x + sign * 4.0, y) - 50.0, along - 60.0), 45.0)
    radius = np.hypot(x, y)
    _paint(hu, np.maximum(radius - SHAFT_MM, along), 1200.0)
    _paint(hu, np.maximum(np.hypot(x + sign * 3.0, y - SHAFT_MM) - 5.0, np.abs(z + 20.0) - 70.0), 1200.0)
    for place, size in (((12.0, 2.0, 85.0), 17.0), ((-14.0, 9.0, 60.0), 9.0), ((5.0, -3.0, -100.0), 22.0)):
        ball = np.sqrt((x - sign * place[0]) ** 2 + (y - place[1]) ** 2 + (z - place[2]) ** 2)
        _paint(hu, ball - size, 900.0)
        _paint(hu, ball - size + 3.0, 250.0)
    _paint(hu, np.maximum(radius - 7.0, along + 15.0), -20.0)
    if nail and sign < 0:
        _paint(hu, np.maximum(radius - 5.0, along + 20.0), 9000.0)
        _paint(hu, np.maximum(np.hypot(y - 1.0, z + 60.0) - 2.5, np.abs(x) - 22.0), 9000.0)


def _streaks(
    places_mm: NDArray[np.float64], centre_mm: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Dark and bright rays from the metal, elsewhere in every slice and every scan."""
    angle = np.arctan2(places_mm[..., 1] - centre_mm[1], places_mm[..., 0] - centre_mm[0])
    distance = np.hypot(places_mm[..., 1] - centre_mm[1], places_mm[..., 0] - centre_mm[0])
    waves = sum(np.cos(n * angle + rng.uniform(0.0, 2.0 * np.pi)) for n in (2, 5, 9, 14))
    return np.asarray(waves * np.minimum(1.0, 20.0 / np.maximum(distance, 8.0)))


def surface_mm(side: str, pose: Matrix) -> NDArray[np.float64]:
    """Points round a shaft, where it lies."""
    turn, z = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 12, endpoint=False), np.linspace(-100.0, 100.0, 15))
    x, y = AXES[side]
    points = np.stack([x + SHAFT_MM * np.cos(turn), y + SHAFT_MM * np.sin(turn), z], axis=-1).reshape(-1, 3)
    return np.asarray(points @ pose[:3, :3].T + pose[:3, 3])
