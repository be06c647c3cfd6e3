"""The simulated CT: polychromatic parallel rays through the solids, and back-projection, many slices at a time.

The slice is the fastest index of a sinogram block (views, bins, slices), so that one interpolation weight of the
back-projection serves a contiguous run.
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled
from leukospect.phantoms.kernels_rays import enter_row, meet_row, paint


@compiled(fastmath=True)
def transmitted_signal(
    segments: int, edges: Any, seg_material: Any, mu: Any, spectrum: Any, path: Any, exponent: Any
) -> float:
    """Sum a ray's painted segments by material, and give the fraction of the detected signal behind them."""
    path[:] = 0.0
    for segment in range(segments):
        if seg_material[segment] >= 0:
            path[seg_material[segment]] += edges[segment + 1] - edges[segment]
    exponent[:] = 0.0
    for m in range(path.size):
        if path[m] > 0.0:
            for e in range(spectrum.size):
                exponent[e] += mu[m, e] * path[m]
    total = 0.0
    for e in range(spectrum.size):
        total += spectrum[e] * np.exp(-exponent[e])
    return total


@compiled(nogil=True)
def transmissions(
    unit: Any,
    taper: Any,
    inverse: Any,
    base: Any,
    limits_z: Any,
    limits_u: Any,
    material: Any,
    mu: Any,
    spectrum: Any,
    angle: Any,
    bins: int,
    u0: float,
    step: float,
    z: Any,
) -> Any:
    """Fraction of the detected signal that reaches each bin, (views, bins, slices) float32.

    Parameters
    ----------
    unit, taper, inverse, material : arrays of the solids, all with a material
    base : (shapes, 3) array
        Each solid's own coordinates of the origin.
    limits_z : (shapes, 2) array
        Lowest and highest z of each solid, mm.
    limits_u : (views, shapes, 2) array
        Lowest and highest offset of each solid along u, mm.
    mu : (materials, energies) array, 1/mm
    spectrum : (energies,) array
        The detected signal's share of each energy, summing to 1.
    angle : (views,) array
        u = (cos, sin, 0) of it, the ray runs along (-sin, cos, 0); radians.
    bins, u0, step : int, float, float
        Bins, the first one's centre and their distance, mm.
    z : (slices,) array, mm
    """
    out = np.ones((angle.size, bins, z.size), np.float32)
    shapes = unit.size
    starts, ends, hits = np.empty(shapes), np.empty(shapes), np.empty(shapes, np.int64)
    edges = np.empty(2 * shapes)
    seg_material, unused = np.empty(2 * shapes, np.int64), np.empty(2 * shapes, np.int64)
    path, exponent = np.empty(mu.shape[0]), np.empty(spectrum.size)
    along_u, along_ray, origins = np.empty((shapes, 3)), np.empty((shapes, 3)), np.empty((shapes, 3))
    along_z = np.ascontiguousarray(inverse[:, :, 2])
    crossing = np.empty(shapes, np.int64)
    o = np.empty(3)
    for view in range(angle.size):
        cosine, sine = np.cos(angle[view]), np.sin(angle[view])
        for i in range(shapes):
            for axis in range(3):
                along_u[i, axis] = inverse[i, axis, 0] * cosine + inverse[i, axis, 1] * sine
                along_ray[i, axis] = -inverse[i, axis, 0] * sine + inverse[i, axis, 1] * cosine
        for k in range(z.size):
            crossed, lowest, highest = enter_row(z[k], limits_u[view], limits_z, base, along_z, origins, crossing)
            first = max(0, int(np.ceil((lowest - u0) / step))) if crossed else 0
            last = min(bins, int(np.floor((highest - u0) / step)) + 1) if crossed else 0
            for b in range(first, last):
                u = u0 + b * step
                count = meet_row(
                    u,
                    crossed,
                    crossing,
                    limits_u[view],
                    origins,
                    along_u,
                    along_ray,
                    unit,
                    taper,
                    o,
                    starts,
                    ends,
                    hits,
                )
                if count:
                    segments = paint(count, starts, ends, hits, material, material, edges, seg_material, unused)
                    out[view, b, k] = transmitted_signal(segments, edges, seg_material, mu, spectrum, path, exponent)
    return out


@compiled(nogil=True)
def read_out(
    signal: Any, normal: Any, photons: float, electronic: float, removed: Any, table: Any, step: float
) -> None:
    """Turn `signal`, in place, from fractions of the air signal into lengths of water, mm, as the noisy readings give.

    Parameters
    ----------
    signal, normal : (n,) float32 arrays
        `normal` holds standard normal deviates.
    photons, electronic : float
        Photons of the air signal, and the standard deviation of the electronic noise in photons.
    removed : (n,) or (0,) float32 array
        Fraction of the air signal that is taken off each noisy reading; nothing where it is empty.
    table : (m,) array
        Length of water at equal steps of minus the logarithm of the signal, from 0.
    step : float
    """
    for i in range(signal.size):
        counts = signal[i] * photons
        counts += np.sqrt(counts + electronic * electronic) * normal[i]
        if removed.size > 0:
            counts -= removed[i] * photons
        counts = max(counts, 1.0)
        place = np.log(photons / counts) / step
        # Air reads a little below zero half of the time: the straight line goes on there, and beyond the last entry.
        low = min(max(int(place), 0), table.size - 2)
        signal[i] = table[low] + (place - low) * (table[low + 1] - table[low])


@compiled(nogil=True, fastmath=True)
def back_project(filtered: Any, angle: Any, u0: float, step: float, x: Any, y: Any) -> Any:
    """Sum over the views of the filtered sinogram at each pixel: (rows, columns, slices) float32.

    Parameters
    ----------
    filtered : (views, bins, slices) float32 array
    angle : (views,) array, radians
    u0, step : float
        The first bin's centre and the bins' distance, mm.
    x, y : (columns,), (rows,) arrays
        Pixel centres, mm.
    """
    tile = 32
    views, bins, slices = filtered.shape
    out = np.zeros((y.size, x.size, slices), np.float32)
    for row0 in range(0, y.size, tile):
        for column0 in range(0, x.size, tile):
            for view in range(views):
                cosine, sine = np.cos(angle[view]), np.sin(angle[view])
                for row in range(row0, min(row0 + tile, y.size)):
                    for column in range(column0, min(column0 + tile, x.size)):
                        place = (x[column] * cosine + y[row] * sine - u0) / step
                        low = int(place)
                        if place < 0.0 or low >= bins - 1:
                            continue
                        share = np.float32(place - low)
                        rest = np.float32(1.0) - share
                        for k in range(slices):
                            out[row, column, k] += rest * filtered[view, low, k] + share * filtered[view, low + 1, k]
    return out
