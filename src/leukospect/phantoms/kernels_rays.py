"""Rays through painted solids: where a ray meets each, and what it finds between those places."""

# mypy: disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

_MISS = (1.0, -1.0)
_PARALLEL = 1e-12


@njit(cache=True, inline="never")
def _within(origin: float, slope: float, start: float, end: float) -> Any:
    """Cut [start, end] down to where |origin + slope t| <= 1."""
    if abs(slope) < _PARALLEL:
        return (start, end) if abs(origin) <= 1.0 else _MISS
    first, last = (-1.0 - origin) / slope, (1.0 - origin) / slope
    return max(start, min(first, last)), min(end, max(first, last))


@njit(cache=True, inline="never")
def _within_frustum(
    x: float, y: float, z: float, dx: float, dy: float, dz: float, taper: float
) -> Any:
    """Interval inside x^2 + y^2 <= (1 + taper z)^2 and |z| <= 1."""
    start, end = _within(z, dz, -1e30, 1e30)
    if end <= start:
        return _MISS
    edge, slope = 1.0 + taper * z, taper * dz
    a = dx * dx + dy * dy - slope * slope
    b = x * dx + y * dy - slope * edge
    c = x * x + y * y - edge * edge
    if abs(a) < _PARALLEL:
        if abs(b) < _PARALLEL:
            return (start, end) if c <= 0.0 else _MISS
        root = -c / (2.0 * b)
        return (start, min(end, root)) if b > 0.0 else (max(start, root), end)
    square = b * b - a * c
    if square <= 0.0:
        return _MISS if a > 0.0 else (start, end)
    root = np.sqrt(square)
    first, last = min((-b - root) / a, (-b + root) / a), max((-b - root) / a, (-b + root) / a)
    if a > 0.0:
        return max(start, first), min(end, last)
    # Steeper than the cone: inside before the first root or after the last one, and |z| <= 1 leaves one of the two.
    if min(end, first) > start:
        return start, min(end, first)
    return max(start, last), end


@njit(cache=True, inline="never")
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


@njit(cache=True, inline="never")
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
