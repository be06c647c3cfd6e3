"""The command line called as a user would call it, with what it printed."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from leukospect.cli import main
from tests.published_schema import check_folder

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """Exit code and what was printed."""

    code: int
    stdout: str
    stderr: str


def leukospect(*arguments: object) -> Said:
    """Run the program in this process; wrong usage is its exit code, too. What it writes fits the published schemas."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:
            code = int(ended.code or 0)
    if "-o" in arguments and code in (0, 4):
        check_folder(Path(str(arguments[arguments.index("-o") + 1])))
    return Said(code, stdout.getvalue(), stderr.getvalue())


@dataclass(frozen=True)
class Volume:
    """A NIfTI file read with nibabel alone: `array` indexed (i, j, k), `affine` to LPS mm."""

    array: Float64
    affine: Float64

    def places_mm(self) -> Float64:
        """LPS place of every voxel, (i, j, k, 3)."""
        indices = np.moveaxis(np.indices(self.array.shape), 0, -1)
        places: Float64 = indices @ self.affine[:3, :3].T + self.affine[:3, 3]
        return places

    def hottest_mm(self) -> Float64:
        """LPS place of the hottest voxel."""
        index = np.unravel_index(int(self.array.argmax()), self.array.shape)
        place: Float64 = self.affine[:3, :3] @ np.array(index) + self.affine[:3, 3]
        return place

    def near(self, place_mm: ArrayLike, radius_mm: float) -> NDArray[np.bool_]:
        """Voxels whose centre lies within `radius_mm` of a place."""
        found: NDArray[np.bool_] = (
            np.linalg.norm(self.places_mm() - np.asarray(place_mm, np.float64), axis=-1) <= radius_mm
        )
        return found

    @property
    def voxel_mm(self) -> Float64:
        """Spacing along the axes of the array, mm."""
        spacing: Float64 = np.linalg.norm(self.affine[:3, :3], axis=0)
        return spacing


def volume(path: Path) -> Volume:
    """Read a NIfTI file; NIfTI's x and y run the other way round than DICOM's."""
    image = nib.load(path)
    return Volume(np.asarray(image.dataobj, dtype=np.float64), np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine)
