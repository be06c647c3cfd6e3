"""The projector of a whole grid, built from arrays, and volumes in and out of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from leukospect.projector import Matter, SpectProjector, response_increments
from leukospect.support import Support
from leukospect.view_plan import interpolated_variance_px2, plan_views

Array = NDArray[np.float32]
Values = NDArray[np.float64]


def whole_projector(
    shape: tuple[int, int, int],
    angles_deg: Values,
    *,
    pixel_mm: tuple[float, float] = (1.0, 1.0),
    radii_mm: Values | None = None,
    sigma_mm: Callable[[Values], Values] | None = None,
    integral: Array | None = None,
    offsets_px: Values | None = None,
    mask: NDArray[np.bool_] | None = None,
    threads: int = 1,
) -> SpectProjector:
    """Build a projector of (rows, columns, slices), every place taking part unless a mask says otherwise.

    `pixel_mm` is (axial, transverse); `integral` is attenuation times the distance of planes.
    """
    axial, transverse = pixel_mm
    support = Support(np.ones(shape[:2], np.bool_) if mask is None else mask)
    matter = None if integral is None else Matter.of(integral)
    radii = np.zeros(angles_deg.size) if radii_mm is None else radii_mm
    offsets = np.zeros(angles_deg.size) if offsets_px is None else offsets_px
    plan = plan_views(
        angles_deg,
        offsets,
        response_increments(
            radii, shape[0], transverse, axial, sigma_mm, interpolated_variance_px2(angles_deg, offsets, shape[0])
        ),
        support,
        matter.support if matter else None,
    )
    return SpectProjector(support, shape[2], plan, matter, threads)


def project(projector: SpectProjector, volume: Array) -> Array:
    """Project a volume (rows, columns, slices): (views, columns, slices)."""
    return projector.forward(projector.support.runs(volume))


def backproject(projector: SpectProjector, views: Array) -> Array:
    """Back-project views to a volume (rows, columns, slices)."""
    return projector.support.volume(projector.adjoint(views))
