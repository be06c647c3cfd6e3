"""The simulated fan beam: single rays through the solids with and without their metal, and rebinning to parallel rays.

The slice is the fastest index of a sinogram block (views, bins, slices).
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled
from leukospect.phantoms.kernels_ct import transmitted_signal
from leukospect.phantoms.kernels_rays import meet, paint


@compiled(inline="never")
def _meet_ray(
    near: int,
    nearby: Any,
    circle: Any,
    local: Any,
    inverse: Any,
    unit: Any,
    taper: Any,
    line: Any,
    o: Any,
    d: Any,
    starts: Any,
    ends: Any,
    hits: Any,
) -> int:
    """Fill `starts`, `ends`, `hits` with the solids that a ray in the plane meets; `line` is x, y, dx, dy."""
    count = 0
    for c in range(near):
        i = nearby[c]
        aside = (circle[i, 0] - line[0]) * line[3] - (circle[i, 1] - line[1]) * line[2]
        if abs(aside) > circle[i, 2]:
            continue
        for axis in range(3):
            o[axis] = local[i, axis] + inverse[i, axis, 0] * line[0] + inverse[i, axis, 1] * line[1]
            d[axis] = inverse[i, axis, 0] * line[2] + inverse[i, axis, 1] * line[3]
        start, end = meet(unit[i], taper[i], o, d)
        if end > start:
            starts[count], ends[count], hits[count] = start, end, i
            count += 1
    return count


@compiled(inline="never")
def _drop_metal(count: int, metal: Any, material: Any, starts: Any, ends: Any, hits: Any) -> int:
    """Close the gaps that metal leaves in a ray's intervals; return how many stay."""
    kept = 0
    for i in range(count):
        if not metal[material[hits[i]]]:
            starts[kept], ends[kept], hits[kept] = starts[i], ends[i], hits[i]
            kept += 1
    return kept


@compiled(nogil=True)
def transmissions_with_and_without_metal(
    unit: Any,
    taper: Any,
    inverse: Any,
    base: Any,
    limits_z: Any,
    circle: Any,
    material: Any,
    metal: Any,
    mu: Any,
    spectrum: Any,
    origin: Any,
    direction: Any,
    z: Any,
) -> Any:
    """Fraction of the detected signal that each ray keeps, (2, views, bins, slices) float32: with all, without metal.

    Parameters
    ----------
    unit, taper, inverse, material : arrays of the solids, all with a material
    base : (shapes, 3) array
        Each solid's own coordinates of the origin.
    limits_z : (shapes, 2) array
        Lowest and highest z of each solid, mm.
    circle : (shapes, 3) array
        Centre (x, y) and radius of a circle around each solid, mm.
    metal : (materials,) bool array
    mu : (materials, energies) array, 1/mm
    spectrum : (energies,) array
        The detected signal's share of each energy, summing to 1.
    origin, direction : (views, bins, 2) arrays
        A point of each ray, mm, and its direction, a unit vector.
    z : (slices,) array, mm
    """
    views, bins = origin.shape[0], origin.shape[1]
    out = np.ones((2, views, bins, z.size), np.float32)
    shapes = unit.size
    starts, ends, hits = np.empty(shapes), np.empty(shapes), np.empty(shapes, np.int64)
    edges = np.empty(2 * shapes)
    seg_material, unused = np.empty(2 * shapes, np.int64), np.empty(2 * shapes, np.int64)
    path, exponent = np.empty(mu.shape[0]), np.empty(spectrum.size)
    nearby, local = np.empty(shapes, np.int64), np.empty((shapes, 3))
    o, d, line = np.empty(3), np.empty(3), np.empty(4)
    for k in range(z.size):
        near = 0
        for i in range(shapes):
            if limits_z[i, 0] <= z[k] <= limits_z[i, 1]:
                nearby[near] = i
                near += 1
                for axis in range(3):
                    local[i, axis] = base[i, axis] + z[k] * inverse[i, axis, 2]
        for view in range(views):
            for b in range(bins):
                for axis in range(2):
                    line[axis], line[2 + axis] = origin[view, b, axis], direction[view, b, axis]
                count = _meet_ray(
                    near, nearby, circle, local, inverse, unit, taper, line, o, d, starts, ends, hits
                )  # fmt: skip
                if count == 0:
                    continue
                segments = paint(count, starts, ends, hits, material, material, edges, seg_material, unused)
                kept = transmitted_signal(segments, edges, seg_material, mu, spectrum, path, exponent)
                out[0, view, b, k] = kept
                left = _drop_metal(count, metal, material, starts, ends, hits)
                if left < count:
                    segments = paint(left, starts, ends, hits, material, material, edges, seg_material, unused)
                    kept = transmitted_signal(segments, edges, seg_material, mu, spectrum, path, exponent)
                out[1, view, b, k] = kept
    return out


@compiled(nogil=True)
def rebin(fan: Any, angle: Any, first_gamma: float, half_step: float, radius_mm: float, offset_mm: Any) -> Any:
    """Parallel rays of half a turn out of a full turn's fans: (angles, offsets, slices) float32.

    A detector shifted by a quarter of an element sees each ray's neighbour half a step beside it half a turn later:
    element k's opposed fellow lies at ``first_gamma + 2 k half_step``, itself at ``first_gamma + (2 k + 1) half_step``.

    Parameters
    ----------
    fan : (views, elements, slices) float32 array
        View v's source lies at the angle 2 pi v / views; the ray at (view, gamma) is the parallel one of the angle
        view - gamma and the offset radius sin(gamma).
    angle : (angles,) array, radians
    first_gamma, half_step : float
        Fan angle of the first of the merged rays, and their distance, radians.
    radius_mm : float
    offset_mm : (offsets,) array
    """
    views, elements, slices = fan.shape
    out = np.zeros((angle.size, offset_mm.size, slices), np.float32)
    per_view = views / (2.0 * np.pi)
    for a in range(angle.size):
        for s in range(offset_mm.size):
            place = (np.arcsin(offset_mm[s] / radius_mm) - first_gamma) / half_step
            low = min(max(int(np.floor(place)), 0), 2 * elements - 2)
            for side in range(2):
                merged = low + side
                share = 1.0 - abs(place - merged)
                if share <= 0.0:
                    continue
                gamma = first_gamma + merged * half_step
                if merged % 2 == 0:
                    element, view = elements - 1 - merged // 2, (angle[a] + np.pi - gamma) * per_view
                else:
                    element, view = merged // 2, (angle[a] + gamma) * per_view
                before = int(np.floor(view))
                later = np.float32(share * (view - before))
                earlier = np.float32(share) - later
                for k in range(slices):
                    out[a, s, k] += (
                        earlier * fan[before % views, element, k] + later * fan[(before + 1) % views, element, k]
                    )
    return out
