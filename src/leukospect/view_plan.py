"""What a view meets on its way to the detector: columns with activity and matter, and the blur before each plane.

Planes that meet nothing are passed over: their share of the blur waits for the next plane that does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukospect.errors import GeometryError
from leukospect.kernels.view import occupied_columns
from leukospect.support import Support

Array = NDArray[np.float32]
Integers = NDArray[np.int64]
Values = NDArray[np.float64]

_LARGEST_TAP = 0.25

_REACH = 4.5
"""Standard deviations of the blur after which a column's photons are left out: 7 in a million of them."""


@dataclass(frozen=True, slots=True, eq=False)
class ViewPlan:
    """The steps of each view; `kernels.view` tells what each array holds, the first axis here is the view."""

    angles: Values
    columns_of: Integers
    loss_columns: Integers
    windows: Integers
    across: Array
    along: Array
    passes: Integers
    ends: int
    """Slices past either end of the axis that the running plane has room for."""

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.angles.shape[0])

    def subset(self, views: NDArray[np.intp]) -> ViewPlan:
        """Take the plan of these views, in that order."""
        taken = (self.columns_of[views], self.loss_columns[views], self.windows[views])
        return ViewPlan(
            self.angles[views], *taken, self.across[views], self.along[views], self.passes[views], self.ends
        )

    def steps(self, view: int) -> tuple[Any, ...]:
        """Give one view's arrays, in the order of the kernels' arguments."""
        places = (self.columns_of[view], self.loss_columns[view], self.windows[view])
        return self.angles[view], *places, self.across[view], self.along[view], self.passes[view]


def bordered(support: Support) -> NDArray[np.int32]:
    """Give a support's table of runs with a border of one place, -1."""
    return np.pad(support.number, 1, constant_values=-1)


def plan_views(
    angles_deg: Values,
    offsets_px: Values,
    increments_px2: Values,
    support: Support,
    matter: Support | None,
) -> ViewPlan:
    """Plan the views of an acquisition.

    Parameters
    ----------
    angles_deg, offsets_px : (views,) arrays
        data.Orbit's angles; centre-of-rotation offset along the columns.
    increments_px2 : (views, planes + 1, 2) array
        Growth of the response's variance before each plane and before the detector, pixels squared, across (columns)
        and along (slices); all zero leaves the response out.
    support : Support
        Where activity can be.
    matter : Support or None
        Where photons are attenuated.

    Raises
    ------
    GeometryError
        The grid is not as deep as wide, or the arrays are of different lengths.
    """
    rows, columns = support.mask.shape
    views = angles_deg.size
    if rows != columns:
        raise GeometryError(f"The reconstruction grid must be as deep as wide; found {rows} x {columns}.")
    if offsets_px.shape != (views,) or increments_px2.shape != (views, rows + 1, 2):
        raise GeometryError(f"{views} views need as many offsets, and increments of the response before each plane.")
    if matter is not None and matter.mask.shape != support.mask.shape:
        raise GeometryError("Activity and attenuation are not on the same grid.")
    radians = np.deg2rad(angles_deg)
    angles = np.column_stack([np.cos(radians), np.sin(radians), offsets_px])
    columns_of, loss_columns = np.zeros((2, views, rows, 2), np.int64)
    number = bordered(support)
    loss_number = None if matter is None else bordered(matter)
    windows = np.zeros((views, rows + 1, 2), np.int64)
    taps = np.zeros((views, rows + 1, 2), np.float32)
    passes = np.zeros((views, rows + 1), np.int64)
    for v in range(views):
        occupied_columns(number, angles[v], columns_of[v])
        if loss_number is not None:
            occupied_columns(loss_number, angles[v], loss_columns[v])
        grown = _gathered(increments_px2[v], columns_of[v], loss_columns[v])
        windows[v] = _windows(columns_of[v], np.cumsum(grown[:, 0]), columns)
        passes[v] = np.ceil(grown.max(axis=1) / (2 * _LARGEST_TAP) - 1e-9)
        taps[v] = grown / np.maximum(passes[v], 1)[:, None] / 2
    return ViewPlan(
        angles,
        columns_of,
        loss_columns,
        windows,
        np.ascontiguousarray(taps[..., 0]),
        np.ascontiguousarray(taps[..., 1]),
        passes,
        _ends(taps[..., 1], passes),
    )


def _ends(along: Array, passes: Integers) -> int:
    """Give three standard deviations of the widest response: what strays farther past an end hardly comes back."""
    variance = 2.0 * np.sum(along * passes, axis=1, dtype=np.float64)
    return int(np.ceil(3.0 * np.sqrt(variance.max(initial=0.0))))


def interpolated_variance_px2(angles_deg: Values, offsets_px: Values, columns: int) -> Values:
    """Give the variance that the rotation's interpolation adds along the detector's columns, (views,), pixels squared.

    cos^2 fx (1 - fx) + sin^2 fy (1 - fy) for the fractions fx, fy of a place between its corners, mean over places of
    the middle: 1/6 at most angles, 0 at multiples of 90 degrees.
    """
    radians = np.deg2rad(angles_deg)[:, None, None]
    middle = np.arange(columns)[max(columns // 2 - 20, 0) : columns // 2 + 20] - 0.5 * (columns - 1)
    across, depth = middle[None, :, None] - offsets_px[:, None, None], middle[None, None, :]
    x = -np.cos(radians) * across + np.sin(radians) * depth + 0.5 * (columns - 1)
    y = np.sin(radians) * across + np.cos(radians) * depth + 0.5 * (columns - 1)
    fx, fy = x - np.floor(x + 1e-9), y - np.floor(y + 1e-9)
    added = np.cos(radians) ** 2 * fx * (1 - fx) + np.sin(radians) ** 2 * fy * (1 - fy)
    return np.asarray(np.maximum(added, 0.0).mean(axis=(1, 2)))


def _gathered(increments: Values, columns_of: Integers, loss_columns: Integers) -> Values:
    """Let the increments wait for the next plane that meets anything; before the first activity there are none."""
    met = (columns_of[:, 1] > 0) | (loss_columns[:, 1] > 0)
    grown = np.zeros_like(increments)
    emitting = np.flatnonzero(columns_of[:, 1] > 0)
    if emitting.size == 0:
        return grown
    first = int(emitting[0]) + 1
    stops = np.append(first + np.flatnonzero(met[first:]), len(met))
    grown[stops] = np.diff(np.cumsum(increments[first:], axis=0)[stops - first], axis=0, prepend=0.0)
    return np.maximum(grown, 0.0)


def _windows(columns_of: Integers, variance: Values, columns: int) -> Integers:
    """Find which columns the running plane reaches at each plane: the activity's so far, and the blur's since then."""
    planes = len(columns_of)
    emitting = np.flatnonzero(columns_of[:, 1] > 0)
    windows = np.zeros((planes + 1, 2), np.int64)
    if emitting.size == 0:
        return windows
    since = variance[:, None] - variance[emitting][None, :]
    reach = np.where(since > 0, np.ceil(_REACH * np.sqrt(np.maximum(since, 0))) + 1, 0)
    before = np.arange(planes + 1)[:, None] >= emitting[None, :]
    first = np.where(before, columns_of[emitting, 0] - reach, columns).min(axis=1)
    last = np.where(before, columns_of[emitting, 1] + reach, 0).max(axis=1)
    # A window never shrinks, so that rows of the plane outside it have never been written.
    windows[:, 0] = np.maximum(np.minimum.accumulate(first), 0)
    windows[:, 1] = np.minimum(np.maximum.accumulate(last), columns)
    windows[: emitting[0]] = 0
    return windows
