"""Acquisitions of bodies made of Gaussian blobs, in closed form and without any projector: for tests of consistency.

A blob at p is seen at (p.u, p.v) as a Gaussian whose width grows with its distance from the detector, weakened by
exp(-mu L) along its way L out of an elliptic cylinder.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, EnergyWindow, Orbit, Projections, Radiopharmaceutical

Values = NDArray[np.float64]
HALF_LIFE_S = 6.0072 * 3600.0
MU_PER_MM = 0.015


@dataclass(frozen=True)
class Body:
    """Blobs (x, y, z) mm with their widths and activities, in an elliptic cylinder of these radii about x = centre."""

    place_mm: Values
    sigma_mm: Values
    activity: Values
    radii_mm: tuple[float, float]
    centre_mm: float = 0.0


@dataclass(frozen=True)
class Scan:
    """How a body is looked at."""

    stops: int = 30
    heads: int = 2
    apart_deg: float = 180.0
    arc_deg: float = 180.0
    start_deg: float = 180.0
    size: tuple[int, int] = (48, 64)
    pixel_mm: tuple[float, float] = (6.0, 7.0)
    radius_mm: float | None = 220.0
    seconds: float = 20.0
    direction: int = 1


def random_body(
    rng: np.random.Generator, *, hot: int = 4, filling: float = 1.0, length_mm: float = 240.0, off_mm: float = 0.0
) -> Body:
    """Fill an elliptic cylinder with wide blobs and put some hot ones into it."""
    radii = (rng.uniform(110, 190), rng.uniform(80, 120))
    wide = 150
    angle, part = rng.uniform(0, 2 * np.pi, wide + hot), np.sqrt(rng.uniform(0, 0.72, wide + hot))
    place = np.stack(
        [
            radii[0] * part * np.cos(angle) + off_mm,
            radii[1] * part * np.sin(angle),
            rng.uniform(-length_mm / 2, length_mm / 2, wide + hot),
        ],
        axis=1,
    )
    sigma = np.concatenate([np.full(wide, 22.0), rng.uniform(3.0, 14.0, hot)])
    activity = np.concatenate([np.full(wide, filling), rng.uniform(1.0, 12.0, hot)])
    return Body(place, sigma, activity, radii, off_mm)


def empty_scan(scan: Scan) -> Projections:
    """Make the acquisition that is to be filled."""
    stops = scan.start_deg + scan.direction * np.arange(scan.stops) * scan.arc_deg / scan.stops
    angles = np.concatenate([stops + head * scan.apart_deg for head in range(scan.heads)]) % 360.0
    views, (rows, columns) = angles.size, scan.size
    radii = np.full(views, scan.radius_mm or 0.0)
    if scan.radius_mm is None:
        radii = 150.0 + 70.0 * np.abs(np.sin(np.deg2rad(angles)))
    return Projections(
        np.zeros((1, views, rows, columns), np.float32),
        (EnergyWindow(((126.0, 154.0),), "peak"),),
        Orbit(angles, radii),
        scan.pixel_mm,
        (0.0, 0.0),
        (rows - 1) / 2 * scan.pixel_mm[0],
        np.tile(scan.seconds * np.arange(scan.stops), scan.heads),
        np.full(views, scan.seconds),
        AcquisitionHeader("TOMO", radiopharmaceutical=Radiopharmaceutical("Tc-99m")),
    )


def mean_counts(body: Body, empty: Projections, total: float, *, displaced: Values | None = None) -> Values:
    """Give the mean counts (views, rows, columns), decaying; `displaced` (views, 3) mm moves the body in each view."""
    angles = np.deg2rad(empty.orbit.angles_deg)
    shift = np.zeros((angles.size, 3)) if displaced is None else displaced
    place = body.place_mm[None] + shift[:, None]
    u = -np.cos(angles)[:, None] * place[..., 0] + np.sin(angles)[:, None] * place[..., 1]
    depth = np.sin(angles)[:, None] * place[..., 0] + np.cos(angles)[:, None] * place[..., 1]
    way = _way_out(body, angles)
    assert empty.orbit.radii_mm is not None
    sigma = np.sqrt(body.sigma_mm**2 + (1.5 + 0.018 * (empty.orbit.radii_mm[:, None] - depth)) ** 2)
    decayed = 0.5 ** (empty.view_start_s / HALF_LIFE_S)
    seen = body.activity * np.exp(-MU_PER_MM * way) * (empty.view_duration_s * decayed)[:, None]
    rows, columns = empty.counts.shape[2:]
    down, across = empty.pixel_mm
    z = empty.first_row_z_mm - down * np.arange(rows)
    x = across * (np.arange(columns) - (columns - 1) / 2)
    along = np.exp(-0.5 * ((z - place[..., 2, None]) / sigma[..., None]) ** 2) / sigma[..., None]
    over = np.exp(-0.5 * ((x - u[..., None]) / sigma[..., None]) ** 2) / sigma[..., None]
    counts = np.matmul((seen[..., None] * along).transpose(0, 2, 1), over)
    return np.asarray(counts * (total / counts.sum()))


def _way_out(body: Body, angles: Values) -> Values:
    """Length from each blob to the cylinder's surface towards the detector, mm; the body takes its cylinder along."""
    a, b = body.radii_mm
    x, y = body.place_mm[:, 0] - body.centre_mm, body.place_mm[:, 1]
    nx, ny = np.sin(angles)[:, None], np.cos(angles)[:, None]
    square = (nx / a) ** 2 + (ny / b) ** 2
    half = x * nx / a**2 + y * ny / b**2
    rest = (x / a) ** 2 + (y / b) ** 2 - 1.0
    return np.asarray((-half + np.sqrt(np.maximum(half**2 - square * rest, 0.0))) / square)


def filled(empty: Projections, counts: Values, rng: np.random.Generator | None = None) -> Projections:
    """Fill an acquisition with Poisson counts around the mean ones, or with these themselves."""
    drawn = counts if rng is None else rng.poisson(counts)
    return replace(empty, counts=drawn[None].astype(np.float32))


def displacement(empty: Projections, from_stop: int, shift_mm: tuple[float, float, float], until: int = 999) -> Values:
    """Give the displacement (views, 3) of a body that moves at a stop, and back at another."""
    stop = np.rint(empty.view_start_s / empty.view_duration_s[0]).astype(int)
    return np.asarray(((stop >= from_stop) & (stop < until))[:, None] * np.array(shift_mm))
