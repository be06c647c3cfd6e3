"""Where voxels lie in patient space, and values on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.errors import GeometryError


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """A voxel grid in patient space.

    Parameters
    ----------
    shape : (slices, rows, columns)
        Number of voxels along k, j and i.
    affine : (4, 4) array
        Takes the index (k, j, i, 1) of a voxel's centre to (x, y, z, 1) in LPS mm.
    frame_of_reference_uid : str or None
        Images that share it are aligned unless a registration says otherwise.

    Raises
    ------
    GeometryError
        The affine is not finite, not invertible or its axes are not at right angles.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_of_reference_uid: str | None = None

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or any(int(n) < 1 for n in self.shape):
            raise GeometryError(f"A grid needs three positive sizes (slices, rows, columns); found {self.shape}.")
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4) or not np.all(np.isfinite(affine)):
            raise GeometryError("A grid's affine must be a finite 4x4 matrix.")
        if not np.array_equal(affine[3], [0.0, 0.0, 0.0, 1.0]):
            raise GeometryError(f"The last row of an affine must be 0 0 0 1; found {affine[3].tolist()}.")
        steps = affine[:3, :3]
        lengths = np.linalg.norm(steps, axis=0)
        if np.any(lengths <= 0):
            raise GeometryError("A grid's voxel spacing must not be zero along any axis.")
        cosines = (steps / lengths).T @ (steps / lengths) - np.eye(3)
        if np.abs(cosines).max() > 1e-3:
            raise GeometryError("A grid's axes must be at right angles; resample a tilted volume first.")
        affine.setflags(write=False)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @classmethod
    def axial(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float],
        first_voxel_mm: tuple[float, float, float],
        frame_of_reference_uid: str | None = None,
    ) -> Geometry:
        """Make an axial grid: i to the patient's left, j to the back, k to the head (k falls where its spacing does).

        Parameters
        ----------
        shape : (slices, rows, columns)
        spacing_mm : (slices, rows, columns)
        first_voxel_mm : (x, y, z) of the centre of voxel (0, 0, 0)
        frame_of_reference_uid : str or None
        """
        affine = np.eye(4)
        affine[:3, :3] = 0.0
        affine[2, 0], affine[1, 1], affine[0, 2] = spacing_mm
        affine[:3, 3] = first_voxel_mm
        return cls(shape, affine, frame_of_reference_uid)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between voxel centres along k, j and i, mm, positive."""
        k, j, i = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(k), float(j), float(i)

    @property
    def voxel_volume_ml(self) -> float:
        """Volume of one voxel, mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def to_lps(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Take voxel indices (..., 3), ordered (k, j, i), to LPS mm (..., 3), ordered (x, y, z)."""
        return np.asarray(indices, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, points_mm: ArrayLike) -> NDArray[np.float64]:
        """Take LPS points (..., 3) to fractional voxel indices (..., 3), ordered (k, j, i)."""
        offsets = np.asarray(points_mm, dtype=np.float64) - self.affine[:3, 3]
        return offsets @ np.linalg.inv(self.affine[:3, :3]).T

    def same_grid(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Tell whether the other grid has the same voxels at the same places."""
        return self.shape == other.shape and bool(np.abs(self.affine - other.affine).max() <= tolerance_mm)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A volume on a grid: `array` indexed (k, j, i), C-contiguous, and its unit: ``HU``, ``1/cm``, ``counts/s/mL``."""

    array: NDArray[np.generic]
    geometry: Geometry
    unit: str = ""

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape:
            raise GeometryError(f"An image of shape {self.array.shape} does not fit its grid of {self.geometry.shape}.")
        array = np.ascontiguousarray(self.array).view()
        array.setflags(write=False)
        object.__setattr__(self, "array", array)
