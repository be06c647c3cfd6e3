"""Attenuation of a running plane, one plane of matter at a time.

`survival` is what half a plane lets through, exp(-mu h / 2) for planes of thickness h: photons of the plane itself
cross half of it, those from behind the whole. The running plane is blurred on its way, so photons that the collimator
accepts at an angle spread before they are attenuated. Against their straight lines this errs by about as much as
parallel rays from the place of emission do, other way round: some tenths of a per cent of a view.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.kernels.compiling import compiled
from leukospect.kernels.rotate import Corners

Array = Any


@compiled
def approach(runs: Array, at: Corners, w: Corners, ends: Any, survival: Array, planes: Array, p: Any, u: Any) -> None:
    """Pass row u of plane p through a plane of matter and activity: row = s (s row + activity)."""
    a, b, c, d = at
    wa, wb, wc, wd = w
    slices = np.uintp(runs.shape[1])
    for k in range(slices):
        s = survival[ends + k]
        planes[p, u, ends + k] = s * (
            s * planes[p, u, ends + k] + (wa * runs[a, k] + wb * runs[b, k] + wc * runs[c, k] + wd * runs[d, k])
        )
    for k in range(ends):
        planes[p, u, k] *= survival[k] * survival[k]
        behind = ends + slices + k
        planes[p, u, behind] *= survival[behind] * survival[behind]


@compiled
def recede(survival: Array, planes: Array, p: Any, u: Any, half: Array) -> None:
    """Transpose of `approach`: half = s row reaches the plane's activity, s^2 row goes on."""
    for k in range(np.uintp(planes.shape[2])):
        s = survival[k]
        value = s * planes[p, u, k]
        half[k] = value
        planes[p, u, k] = s * value


@compiled
def cross(survival: Array, planes: Array, p: Any, u: Any) -> None:
    """Pass row u of plane p through matter without activity, either way: row = s^2 row."""
    for k in range(np.uintp(planes.shape[2])):
        s = survival[k]
        planes[p, u, k] *= s * s
