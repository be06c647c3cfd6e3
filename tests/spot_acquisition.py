"""Acquisitions made in memory: empty ones, and those of small sources, whose spots follow in closed form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from leukospect.data import AcquisitionHeader, EnergyWindow, Orbit, Projections

PHOTOPEAK = EnergyWindow(((129.3, 151.7),), "peak")
Values = NDArray[np.float64]


def orbit(start_deg: float, direction: str, views: int = 32, arc_deg: float = 360.0) -> Values:
    """Angles of a rotation, counter-clockwise (CC) or clockwise (CW), each view once."""
    return start_deg + (1 if direction == "CC" else -1) * np.arange(views) * arc_deg / views


def acquisition(
    angles_deg: Values,
    size: tuple[int, int],
    pixel_mm: tuple[float, float],
    *,
    counts: NDArray[np.floating] | None = None,
    windows: tuple[EnergyWindow, ...] = (PHOTOPEAK,),
    radii_mm: Values | None = None,
    offset_mm: Values | None = None,
    axis_mm: tuple[float, float] = (0.0, 0.0),
    first_row_z_mm: float = 0.0,
    start_s: Values | None = None,
    duration_s: Values | None = None,
    corrections: tuple[str, ...] = (),
) -> Projections:
    """Make an acquisition of `size` (rows, columns); without counts it is empty."""
    views = angles_deg.size
    held = np.zeros((len(windows), views, *size), np.float32) if counts is None else counts.astype(np.float32)
    return Projections(
        held,
        windows,
        Orbit(angles_deg, radii_mm, offset_mm),
        pixel_mm,
        axis_mm,
        first_row_z_mm,
        np.zeros(views) if start_s is None else start_s,
        np.ones(views) if duration_s is None else duration_s,
        AcquisitionHeader("TOMO", corrections=corrections, frame_of_reference_uid="1.2.3"),
    )


def _on_pixels(place_mm: float, sigma_mm: float, size: int, first_mm: float, step_mm: float) -> Values:
    """Integrate a Gaussian over each of a row of pixels."""
    edges = first_mm + (np.arange(size + 1) - 0.5) * step_mm
    below = 0.5 * (1 + erf((edges - place_mm) / sigma_mm / np.sqrt(2)))
    return np.asarray(np.abs(np.diff(below)))


def spot_counts(
    empty: Projections, points_mm: Sequence[tuple[float, float, float]], total: Sequence[float], sigma_mm: float
) -> Values:
    """Draw each point's spot in each view: (views, rows, columns) counts.

    Column place p.u with u = (-cos t, sin t, 0), seen from the axis, plus the centre-of-rotation offset; row place from
    the head down.
    """
    rows, columns = empty.counts.shape[2:]
    axial, transverse = empty.pixel_mm
    views = np.zeros((empty.orbit.views, rows, columns))
    offsets = empty.orbit.centre_offset_mm
    for v, angle in enumerate(np.deg2rad(empty.orbit.angles_deg)):
        for (x, y, z), counts in zip(points_mm, total, strict=True):
            along_u = -(x - empty.axis_mm[0]) * np.cos(angle) + (y - empty.axis_mm[1]) * np.sin(angle)
            column = along_u + (0.0 if offsets is None else offsets[v])
            across = _on_pixels(column, sigma_mm, columns, -(columns - 1) / 2 * transverse, transverse)
            down = _on_pixels(z, sigma_mm, rows, empty.first_row_z_mm, -axial)
            views[v] += counts * np.outer(down, across)
    return views


def with_counts(empty: Projections, counts: NDArray[np.floating]) -> Projections:
    """Fill an acquisition with (views, rows, columns) counts of its one window."""
    return Projections(
        counts[None].astype(np.float32),
        empty.energy_windows,
        empty.orbit,
        empty.pixel_mm,
        empty.axis_mm,
        empty.first_row_z_mm,
        empty.view_start_s,
        empty.view_duration_s,
        empty.header,
    )
