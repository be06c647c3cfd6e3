"""One stop of the simulated gamma camera: rays through the solids, attenuation, collimator response, scatter.

A stop has one or two opposed heads. u runs along the columns of the first head, v along its rows (head to feet), s
towards it. A ray runs along s, so depth is never sampled: every plane of the running row gets the exact attenuated
integral of the activity across it. Each row's planes are blurred along u and added, blurred along v, to the rows.
"""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled
from leukospect.phantoms.kernels_rays import enter_row, meet_row, paint


@compiled()
def _deposit(
    segments: int,
    edges: Any,
    seg_material: Any,
    seg_compartment: Any,
    mu: Any,
    concentration: Any,
    s0: float,
    step: float,
    heads: int,
    coarse: int,
    column: int,
    scatter_column: int,
    primary: Any,
    scatter: Any,
) -> None:
    """Add one ray's attenuated activity to the planes of each head, and its scatter sources to the coarse planes."""
    times = concentration.shape[0]
    planes = primary.shape[2]
    for head in range(heads):
        path = 0.0
        for k in range(segments):
            # The first head looks from the far end of s, the second from the near one: nearest segment first.
            segment = segments - 1 - k if head == 0 else k
            low, high = edges[segment], edges[segment + 1]
            if high - low < 1e-9:
                continue
            material, compartment = seg_material[segment], seg_compartment[segment]
            rate = mu[material] if material >= 0 else 0.0
            active = False
            if compartment >= 0:
                for t in range(times):
                    active = active or concentration[t, compartment] > 0.0
            if active:
                first = max(0, min(planes - 1, int(np.floor((low - s0) / step))))
                last = max(0, min(planes - 1, int(np.floor((high - s0) / step))))
                whole = np.exp(-rate * step)
                here = path
                left = np.exp(-path)
                for p in range(last - first + 1):
                    plane = last - p if head == 0 else first + p
                    length = min(high, s0 + (plane + 1) * step) - max(low, s0 + plane * step)
                    if length <= 0.0:
                        continue
                    kept = whole if length > step * (1.0 - 1e-12) else np.exp(-rate * length)
                    amount = left * (1.0 - kept) / rate if rate * length > 1e-6 else left * length
                    depth = here + 0.5 * rate * length
                    left *= kept
                    here += rate * length
                    for t in range(times):
                        value = amount * concentration[t, compartment]
                        primary[head, t, plane, column] += value
                        scatter[head, t, 0, plane // coarse, scatter_column] += value * depth
                        scatter[head, t, 1, plane // coarse, scatter_column] += value * depth * depth * 0.5
            path += rate * (high - low)


@compiled(fastmath=True)
def _scaled(out: Any, values: Any, weight: float) -> None:
    for j in range(out.size):
        out[j] = weight * values[j]


@compiled(fastmath=True)
def _add_scaled(out: Any, values: Any, weight: float) -> None:
    for j in range(out.size):
        out[j] += weight * values[j]


@compiled(fastmath=True)
def _blur_row(row: Any, along_u: Any, reach_u: Any, along_v: Any, reach_v: Any, at: int, line: Any, out: Any) -> None:
    """Blur each plane of a row along u, then add it to rows `at` + k of `out`, weighted along v; empties the row."""
    columns = row.shape[1]
    for plane in range(row.shape[0]):
        values = row[plane]
        first, last = columns, -1
        for j in range(columns):
            if values[j] != 0.0:
                first = min(first, j)
                last = j
        if last < 0:
            continue
        reach = reach_u[plane]
        low, high = max(first - reach, 0), min(last + reach + 1, columns)
        target = line[low:high]
        _scaled(target, values[low:high], along_u[plane, 0])
        for k in range(1, reach + 1):
            # Slices from zero, not offsets: the compiler then knows that no index is negative, and vectorises.
            left, right = min(high, columns - k), max(low, k)
            _add_scaled(line[low:left], values[low + k : left + k], along_u[plane, k])
            _add_scaled(line[right:high], values[right - k : high - k], along_u[plane, k])
        for k in range(-reach_v[plane], reach_v[plane] + 1):
            if 0 <= at + k < out.shape[0]:
                _add_scaled(out[at + k, low:high], target, along_v[plane, abs(k)])
        values[:] = 0.0


@compiled(nogil=True)
def project_stop(
    unit: Any,
    taper: Any,
    local: Any,
    limits_u: Any,
    limits_v: Any,
    material: Any,
    compartment: Any,
    mu: Any,
    concentration: Any,
    grid: Any,
    sizes: Any,
    primary_blur: Any,
    scatter_blur: Any,
) -> Any:
    """Project the solids onto the fine grid of one stop.

    Parameters
    ----------
    unit, taper, material, compartment : (shapes,) arrays
    local : (4, shapes, 3) float64 array
        Each solid's own coordinates of the grid's origin, and of the steps of 1 mm along u, v and s.
    limits_u, limits_v : (shapes, 2) arrays
        Lowest and highest u and v of each solid, mm.
    mu : (materials,) array, 1/mm
    concentration : (times, compartments) float64 array
    grid : (u0, v0, s0, u step, v step, s step), mm
        The first cells' edges, and the cells' sizes.
    sizes : (columns, rows, planes, heads, coarse, rays)
        Cells; heads; cells to a coarse cell of the scatter; rays along each edge of a cell.
    primary_blur, scatter_blur : tuples (along_u, reach_u, along_v, reach_v)
        Half kernels (heads, [orders,] planes, taps) and how many taps each uses.

    Returns
    -------
    primary : (heads, times, rows, columns) float32 array
        Attenuated activity integrated along the rays and blurred, concentration times mm; second head not mirrored.
    scatter : (heads, times, 2, coarse rows, coarse columns) float32 array
        The same weighted with tau (once scattered) and tau^2 / 2 (twice), mean over the cells of a coarse one.
    """
    columns, rows, planes, heads, coarse, rays = sizes
    u0, v0, s0, u_step, v_step, s_step = grid
    times, shapes = concentration.shape[0], unit.size
    coarse_columns, coarse_rows = (columns + coarse - 1) // coarse, (rows + coarse - 1) // coarse
    coarse_planes = (planes + coarse - 1) // coarse
    out = np.zeros((heads, times, rows, columns), np.float32)
    scattered = np.zeros((heads, times, 2, coarse_rows, coarse_columns), np.float32)
    row = np.zeros((heads, times, planes, columns), np.float32)
    scatter_row = np.zeros((heads, times, 2, coarse_planes, coarse_columns), np.float32)
    line = np.empty(columns, np.float32)
    starts, ends, hits = np.empty(shapes), np.empty(shapes), np.empty(shapes, np.int64)
    edges = np.empty(2 * shapes)
    seg_material, seg_compartment = np.empty(2 * shapes, np.int64), np.empty(2 * shapes, np.int64)
    crossing = np.empty(shapes, np.int64)
    origins = np.empty((shapes, 3))
    o = np.empty(3)
    for iv in range(rows):
        for sub_v in range(rays):
            v = v0 + (iv + (sub_v + 0.5) / rays) * v_step
            crossed, lowest, highest = enter_row(v, limits_u, limits_v, local[0], local[2], origins, crossing)
            first = max(0, int(np.floor((lowest - u0) / u_step * rays))) if crossed else 0
            last = min(columns * rays, int(np.ceil((highest - u0) / u_step * rays))) if crossed else 0
            for fine in range(first, last):
                # Rays of neighbouring sub-rows are staggered, so that edges along v are sampled between columns too.
                u = u0 + (fine + (0.25 if (iv * rays + sub_v) % 2 else 0.75)) * u_step / rays
                count = meet_row(
                    u, crossed, crossing, limits_u, origins, local[1], local[3], unit, taper, o, starts, ends, hits
                )
                if count:
                    segments = paint(
                        count, starts, ends, hits, material, compartment, edges, seg_material, seg_compartment
                    )
                    column = fine // rays
                    _deposit(
                        segments, edges, seg_material, seg_compartment, mu, concentration, s0, s_step, heads, coarse,
                        column, column // coarse, row, scatter_row,
                    )  # fmt: skip
        for head in range(heads):
            for t in range(times):
                _blur_row(
                    row[head, t], primary_blur[0][head], primary_blur[1][head], primary_blur[2][head],
                    primary_blur[3][head], iv, line, out[head, t],
                )  # fmt: skip
                if iv % coarse == coarse - 1 or iv == rows - 1:
                    for order in range(2):
                        _blur_row(
                            scatter_row[head, t, order], scatter_blur[0][head, order], scatter_blur[1][head, order],
                            scatter_blur[2][head, order], scatter_blur[3][head, order], iv // coarse, line,
                            scattered[head, t, order],
                        )  # fmt: skip
    share = np.float32(1.0 / (rays * rays))
    return out * share, scattered * np.float32(share / (coarse * coarse))
