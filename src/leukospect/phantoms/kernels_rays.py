"""Rays through painted solids: where a ray meets each, and what it finds between those places."""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np

from leukospect.phantoms.compiling import compiled

_MISS = (1.0, -1.0)
_PARALLEL = 1e-12


@compiled(inline="never")
def _within(origin: float, slope: float, start: float, end: float) -> Any:
    """Cut [start, end] down to where |origin + slope t| <= 1."""
    if abs(slope) < _PARALLEL:
        return (start, end) if abs(origin) <= 1.0 else _MISS
    first, last = (-1.0 - origin) / slope, (1.0 - origin) / slope
    return max(start, min(first, last)), min(end, max(first, last))


@compiled(inline="never")
def _below_zero(a: float, b: float, c: float, start: float, end: float) -> Any:
    """Cut [start, end] down to where a t^2 + 2 b t + c <= 0, given that this is one interval."""
    if abs(a) < _PARALLEL and abs(b) < _PARALLEL:
        return (start, end) if c <= 0.0 else _MISS
    if abs(a) < _PARALLEL:
        root = -c / (2.0 * b)
        return (start, min(end, root)) if b > 0.0 else (max(start, root), end)
    square = b * b - a * c
    if square <= 0.0:
        return _MISS if a > 0.0 else (start, end)
    root = np.sqrt(square) / abs(a)
    first, last = -b / a - root, -b / a + root
    if a > 0.0:
        return max(start, first), min(end, last)
    # Steeper than the cone: below zero before the first root and after the last one, in the other half of the cone.
    return (start, min(end, first)) if min(end, first) > start else (max(start, last), end)


@compiled(inline="never")
def _within_frustum(x: float, y: float, z: float, dx: float, dy: float, dz: float, taper: float) -> Any:
    """Interval inside x^2 + y^2 <= (1 + taper z)^2 and |z| <= 1."""
    start, end = _within(z, dz, -1e30, 1e30)
    if end <= start:
        return _MISS
    edge, slope = 1.0 + taper * z, taper * dz
    a = dx * dx + dy * dy - slope * slope
    return _below_zero(a, x * dx + y * dy - slope * edge, x * x + y * y - edge * edge, start, end)


@compiled(inline="never")
def meet(unit: int, taper: float, o: Any, d: Any) -> Any:
    """Interval (start, end) of a ray o + t d in a unit solid's own coordinates; start > end where it misses.

    `unit` is 0 for the ball, 1 for the frustum, 2 for the cube.
    """
    if unit == 1:
        return _within_frustum(o[0], o[1], o[2], d[0], d[1], d[2], taper)
    if unit == 2:
        start, end = _within(o[0], d[0], -1e30, 1e30)
        start, end = _within(o[1], d[1], start, end)
        return _within(o[2], d[2], start, end)
    a = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
    b = o[0] * d[0] + o[1] * d[1] + o[2] * d[2]
    square = b * b - a * (o[0] * o[0] + o[1] * o[1] + o[2] * o[2] - 1.0)
    if square <= 0.0:
        return _MISS
    root = np.sqrt(square)
    return (-b - root) / a, (-b + root) / a


@compiled(inline="never")
def paint(
    count: int,
    starts: Any,
    ends: Any,
    shapes: Any,
    material: Any,
    compartment: Any,
    edges: Any,
    seg_material: Any,
    seg_compartment: Any,
) -> int:
    """Turn a ray's overlapping intervals, in painting order, into segments of one material and one compartment.

    Fills `edges` (sorted places), `seg_material` and `seg_compartment` (-1 where nothing is) and returns the number of
    segments; a later shape wins, separately for material and compartment (-1 paints nothing).
    """
    places = 0
    for i in range(count):
        for side in range(2):
            place = starts[i] if side == 0 else ends[i]
            j = places
            while j > 0 and edges[j - 1] > place:
                edges[j] = edges[j - 1]
                j -= 1
            edges[j] = place
            places += 1
    for segment in range(places - 1):
        middle = 0.5 * (edges[segment] + edges[segment + 1])
        found_material, found_compartment = -1, -1
        for i in range(count - 1, -1, -1):
            if starts[i] <= middle <= ends[i]:
                shape = shapes[i]
                if found_material < 0:
                    found_material = material[shape]
                if found_compartment < 0:
                    found_compartment = compartment[shape]
                if found_material >= 0 and found_compartment >= 0:
                    break
        seg_material[segment] = found_material
        seg_compartment[segment] = found_compartment
    return max(places - 1, 0)


@compiled(inline="never")
def enter_row(
    v: float, limits_u: Any, limits_v: Any, base: Any, along_v: Any, origins: Any, crossing: Any
) -> tuple[int, float, float]:
    """Find the solids that a row of parallel rays at `v` may meet.

    Fills `crossing` with their numbers in painting order, and `origins` with their own coordinates of the row at u = 0.
    Returns how many there are, and between which u they lie.
    """
    crossed, lowest, highest = 0, 1e30, -1e30
    for i in range(base.shape[0]):
        if limits_v[i, 0] <= v <= limits_v[i, 1]:
            crossing[crossed] = i
            for axis in range(3):
                origins[i, axis] = base[i, axis] + v * along_v[i, axis]
            crossed += 1
            lowest, highest = min(lowest, limits_u[i, 0]), max(highest, limits_u[i, 1])
    return crossed, lowest, highest


@compiled(inline="never")
def meet_row(
    u: float,
    crossed: int,
    crossing: Any,
    limits_u: Any,
    origins: Any,
    along_u: Any,
    along_ray: Any,
    unit: Any,
    taper: Any,
    o: Any,
    starts: Any,
    ends: Any,
    hits: Any,
) -> int:
    """Fill `starts`, `ends` and `hits` with the solids that the row's ray at `u` meets; return how many.

    `o` is room for three numbers; the other arguments are as `enter_row` left them.
    """
    count = 0
    for c in range(crossed):
        i = crossing[c]
        if limits_u[i, 0] <= u <= limits_u[i, 1]:
            for axis in range(3):
                o[axis] = origins[i, axis] + u * along_u[i, axis]
            start, end = meet(unit[i], taper[i], o, along_ray[i])
            if end > start:
                starts[count], ends[count], hits[count] = start, end, i
                count += 1
    return count
