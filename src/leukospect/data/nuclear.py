"""Counts as a gamma camera took them: projections along an orbit, and planar views."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukospect.data.header import AcquisitionHeader, EnergyWindow
from leukospect.errors import GeometryError, InputError


@dataclass(frozen=True, slots=True, eq=False)
class Orbit:
    """Where the detector stood at each view.

    Parameters
    ----------
    angles_deg : (views,) array
        0 is the detector at the back, growing counter-clockwise seen from the feet (90 is the patient's left).
    radii_mm : (views,) array or None
        From the axis of rotation to the collimator's face; None where not recorded.
    centre_offset_mm : (views,) array or None
        Centre-of-rotation offset still to be applied, along the columns; None means zero.
    """

    angles_deg: NDArray[np.float64]
    radii_mm: NDArray[np.float64] | None = None
    centre_offset_mm: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        angles = np.asarray(self.angles_deg, dtype=np.float64)
        if angles.ndim != 1 or angles.size == 0 or not np.all(np.isfinite(angles)):
            raise GeometryError("An orbit needs a finite angle for each view.")
        object.__setattr__(self, "angles_deg", angles)
        for name in ("radii_mm", "centre_offset_mm"):
            values = getattr(self, name)
            if values is None:
                continue
            values = np.asarray(values, dtype=np.float64)
            if values.shape != angles.shape or not np.all(np.isfinite(values)):
                raise GeometryError(f"An orbit of {angles.size} views has {values.size} values in {name}.")
            object.__setattr__(self, name, values)
        if self.radii_mm is not None and np.any(self.radii_mm <= 0):
            raise GeometryError("An orbit's radii must be positive.")

    @property
    def views(self) -> int:
        """Number of views."""
        return int(self.angles_deg.size)


def _checked_counts(counts: NDArray[np.generic], what: str) -> NDArray[np.float32]:
    array = np.ascontiguousarray(counts, dtype=np.float32)
    if array.ndim != 4:
        raise InputError(f"{what} need counts of shape (windows, views, rows, columns); found {array.shape}.")
    if array.size == 0:
        raise InputError(f"{what} are empty: their counts have the shape {array.shape}.")
    if not np.all(np.isfinite(array)):
        raise InputError(f"{what} contain values that are not finite.")
    if array.min() < 0:
        raise InputError(f"{what} contain negative counts ({array.min():g}); raw counts cannot be negative.")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """A SPECT acquisition: counts of every energy window and view.

    Parameters
    ----------
    counts : (windows, views, rows, columns) float32 array
        Rows run from head to feet; columns along u(t) = (-cos t, sin t, 0), to the right of someone who stands
        behind the detector and looks at the patient.
    energy_windows : tuple of EnergyWindow
    orbit : Orbit
    pixel_mm : (between rows, between columns)
    axis_mm : (x, y) of the axis of rotation, LPS
    first_row_z_mm : float
        LPS z of the centre of row 0.
    view_start_s, view_duration_s : (views,) arrays
        Start of each view after `header.start`, and for how long it counted.
    header : AcquisitionHeader
    duration_recorded : bool
        False where a duration of 1 s a view stands in for one that is not recorded.
    summed_frames : int
        How many gates or time frames were added up in each view; 1 where the acquisition is neither gated nor dynamic.
    """

    counts: NDArray[np.float32]
    energy_windows: tuple[EnergyWindow, ...]
    orbit: Orbit
    pixel_mm: tuple[float, float]
    axis_mm: tuple[float, float]
    first_row_z_mm: float
    view_start_s: NDArray[np.float64]
    view_duration_s: NDArray[np.float64]
    header: AcquisitionHeader
    duration_recorded: bool = True
    summed_frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked_counts(self.counts, "Projections"))
        windows, views = self.counts.shape[:2]
        if windows != len(self.energy_windows):
            raise InputError(f"Projections of {windows} windows describe {len(self.energy_windows)} energy windows.")
        if views != self.orbit.views:
            raise GeometryError(f"Projections of {views} views have angles for {self.orbit.views}.")
        for name in ("view_start_s", "view_duration_s"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (views,) or not np.all(np.isfinite(values)):
                raise InputError(f"Projections of {views} views need as many finite values in {name}.")
            object.__setattr__(self, name, values)
        if np.any(self.view_duration_s <= 0):
            raise InputError("The duration of every view must be positive.")
        if min(self.pixel_mm) <= 0 or not np.all(np.isfinite(self.pixel_mm)):
            raise GeometryError(f"The pixel spacing must be positive; found {self.pixel_mm} mm.")


@dataclass(frozen=True, slots=True, eq=False)
class PlanarImages:
    """Planar views taken together: STATIC, WHOLE BODY, or the sum of a DYNAMIC or GATED acquisition.

    Parameters
    ----------
    counts : (windows, views, rows, columns) float32 array
        Rows from head to feet, columns to the right of someone who stands behind the detector.
    energy_windows : tuple of EnergyWindow
    view_names : tuple of str
        ``anterior``, ``posterior``, ``left lateral``, ``right lateral`` or what the camera called it.
    pixel_mm : (between rows, between columns)
    view_duration_s : (views,) array
        How long each pixel counted; for WHOLE BODY the dwell time of a line, not of the scan.
    header : AcquisitionHeader
    first_pixel_mm : (views, 3) array or None
        LPS position of the centre of pixel (0, 0) of each view where recorded.
    summed_frames : int
        How many gates or time frames were added up in each view; 1 for STATIC and WHOLE BODY.
    """

    counts: NDArray[np.float32]
    energy_windows: tuple[EnergyWindow, ...]
    view_names: tuple[str, ...]
    pixel_mm: tuple[float, float]
    view_duration_s: NDArray[np.float64]
    header: AcquisitionHeader
    first_pixel_mm: NDArray[np.float64] | None = None
    summed_frames: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "counts", _checked_counts(self.counts, "Planar images"))
        windows, views = self.counts.shape[:2]
        if windows != len(self.energy_windows):
            raise InputError(f"Planar images of {windows} windows describe {len(self.energy_windows)} energy windows.")
        durations = np.asarray(self.view_duration_s, dtype=np.float64)
        if durations.shape != (views,) or views != len(self.view_names):
            raise InputError(f"Planar images of {views} views need as many names and durations.")
        if np.any(durations <= 0) or not np.all(np.isfinite(durations)):
            raise InputError("The duration of every planar view must be positive.")
        if min(self.pixel_mm) <= 0 or not np.all(np.isfinite(self.pixel_mm)):
            raise GeometryError(f"The pixel spacing must be positive; found {self.pixel_mm} mm.")
        if self.first_pixel_mm is not None and np.shape(self.first_pixel_mm) != (views, 3):
            raise GeometryError("Planar images need a position of three values for each view, or none at all.")
        object.__setattr__(self, "view_duration_s", durations)
