"""Values of painted solids averaged over voxels: exact along the columns, supersampled across them."""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled
from leukospect.phantoms.kernels_rays import meet, paint


@compiled()
def average_over_voxels(
    unit: Any,
    taper: Any,
    local: Any,
    material: Any,
    compartment: Any,
    by_material: Any,
    by_compartment: Any,
    shape: Any,
    samples: int,
) -> Any:
    """Mean value in each voxel, (slices, rows, columns) float64.

    Parameters
    ----------
    unit, taper, material, compartment : (shapes,) arrays
    local : (4, shapes, 3) array
        Each solid's own coordinates of voxel (0, 0, 0)'s centre, and of one voxel's step along k, j and i.
    by_material, by_compartment : arrays
        Value added where a material and where a compartment is.
    shape : (slices, rows, columns)
    samples : int
        Rays along each edge of a voxel.
    """
    out = np.zeros(shape)
    shapes = unit.size
    starts, ends, hits = np.empty(shapes), np.empty(shapes), np.empty(shapes, np.int64)
    edges = np.empty(2 * shapes)
    seg_material, seg_compartment = np.empty(2 * shapes, np.int64), np.empty(2 * shapes, np.int64)
    o = np.empty(3)
    weight = 1.0 / (samples * samples)
    for ray in range(shape[0] * shape[1] * samples * samples):
        k, j = ray // (shape[1] * samples * samples), ray // (samples * samples) % shape[1]
        dk, dj = ray // samples % samples, ray % samples
        above = k + (dk + 0.5) / samples - 0.5
        beside = j + (dj + 0.5) / samples - 0.5
        count = 0
        for s in range(shapes):
            for axis in range(3):
                o[axis] = local[0, s, axis] + above * local[1, s, axis] + beside * local[2, s, axis]
            start, end = meet(unit[s], taper[s], o, local[3, s])
            start, end = max(start, -0.5), min(end, shape[2] - 0.5)
            if end > start:
                starts[count], ends[count], hits[count] = start, end, s
                count += 1
        segments = paint(count, starts, ends, hits, material, compartment, edges, seg_material, seg_compartment)
        for segment in range(segments):
            value = 0.0
            if seg_material[segment] >= 0:
                value += by_material[seg_material[segment]]
            if seg_compartment[segment] >= 0:
                value += by_compartment[seg_compartment[segment]]
            if value == 0.0:
                continue
            low, high = edges[segment], edges[segment + 1]
            for i in range(int(np.floor(low + 0.5)), min(int(np.floor(high + 0.5)), shape[2] - 1) + 1):
                length = min(high, i + 0.5) - max(low, i - 0.5)
                if length > 0.0:
                    out[k, j, i] += weight * value * length
    return out
