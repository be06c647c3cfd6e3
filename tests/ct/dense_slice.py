"""Small CT slices with dense things of known size: drawn finely, blurred, averaged to pixels, noisy and cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Geometry, Image

_FINER = 4
METAL_HU = 4500.0


@dataclass(frozen=True)
class Drawn:
    """An ellipse or a box: centre and half axes (row, column) in mm, HU, and its turn in degrees."""

    centre_mm: tuple[float, float]
    half_mm: tuple[float, float]
    hu: float
    box: bool = False
    turn_deg: float = 0.0

    def covers(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.bool_]:
        turn = np.deg2rad(self.turn_deg)
        u = (y - self.centre_mm[0]) * np.cos(turn) - (x - self.centre_mm[1]) * np.sin(turn)
        v = (y - self.centre_mm[0]) * np.sin(turn) + (x - self.centre_mm[1]) * np.cos(turn)
        u, v = np.abs(u) / self.half_mm[0], np.abs(v) / self.half_mm[1]
        inside: NDArray[np.bool_] = np.maximum(u, v) <= 1.0 if self.box else np.hypot(u, v) <= 1.0
        return inside


def disc(row_mm: float, column_mm: float, diameter_mm: float, hu: float) -> Drawn:
    return Drawn((row_mm, column_mm), (0.5 * diameter_mm, 0.5 * diameter_mm), hu)


BODY = Drawn((62.0, 75.0), (54.0, 66.0), 40.0)


def dense_slice(
    *things: Drawn,
    shape: tuple[int, int] = (124, 150),
    pixel_mm: tuple[float, float] = (1.0, 1.0),
    blur_mm: float = 0.64,
    noise_hu: float = 25.0,
    streak_hu: float = 0.0,
    top_hu: float = 3071.0,
    seed: int = 0,
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """Draw things over one another in air.

    Returns
    -------
    tuple
        HU and which pixels metal fills by half at least. Streaks turn about each metal, and run bright between two.
    """
    axes = [(np.arange(n * _FINER) + 0.5) * mm / _FINER - 0.5 * mm for n, mm in zip(shape, pixel_mm, strict=True)]
    y, x = np.meshgrid(*axes, indexing="ij")
    fine = np.full(y.shape, -1000.0, dtype=np.float32)
    for thing in things:
        fine[thing.covers(y, x)] = thing.hu
    metal = _averaged((fine >= METAL_HU).astype(np.float32)) >= 0.5
    hu = _averaged(ndimage.gaussian_filter(fine, [blur_mm * _FINER / mm for mm in pixel_mm], truncate=3.5))
    rng = np.random.default_rng(seed)
    hu += noise_hu * ndimage.gaussian_filter(rng.standard_normal(shape), 0.6) / 0.47
    hu += streak_hu * _streaks(metal) * ~metal
    return np.clip(np.rint(hu), -1024, top_hu).astype(np.int16), metal


def _averaged(fine: NDArray[np.floating]) -> NDArray[np.float64]:
    rows, columns = (n // _FINER for n in fine.shape)
    averaged: NDArray[np.float64] = fine.reshape(rows, _FINER, columns, _FINER).mean(axis=(1, 3), dtype=np.float64)
    return averaged


def _streaks(metal: NDArray[np.bool_]) -> NDArray[np.float64]:
    labels, count = ndimage.label(metal)
    centres = ndimage.center_of_mass(metal, labels, range(1, count + 1)) if count else []
    y, x = np.indices(metal.shape, dtype=np.float64)
    streaks = np.zeros(metal.shape)
    for row, column in centres:
        away = np.hypot(y - row, x - column)
        streaks += np.sin(7.0 * np.arctan2(y - row, x - column) + 1.0) * np.exp(-away / 25.0)
    if len(centres) == 2:
        (y0, x0), (y1, x1) = centres
        length = np.hypot(y1 - y0, x1 - x0)
        off = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length
        along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / length**2
        streaks += 5.0 * np.exp(-((off / 1.5) ** 2)) * ((along > 0) & (along < 1))
    return streaks


def ct_image(array: NDArray[np.generic], spacing_mm: tuple[float, float, float] = (2.0, 1.0, 1.0)) -> Image:
    stack = array if array.ndim == 3 else array[None]
    shape = (stack.shape[0], stack.shape[1], stack.shape[2])
    return Image(stack, Geometry.axial(shape, spacing_mm, (-75.0, -60.0, 33.0)), "HU")


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float(2.0 * np.sum(one & other) / (one.sum() + other.sum()))
