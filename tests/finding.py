"""Sources found in what came out: by nibabel alone, by pydicom and the standard's formulas alone, by SimpleITK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK

from tests.command_line import Float64, Volume
from tests.dicom.generator.scene import Source

_NEAR_MM = 14.0
_LEAST = 0.1  # of the brightest nearby voxel: below it is what a few iterations leave around a source


def volume_by_pydicom(path: Path) -> Volume:
    """Read a RECON TOMO file: slice k lies k Spacing Between Slices along the normal from the first position."""
    file = pydicom.dcmread(path)
    head = file.DetectorInformationSequence[0]
    cosines, first = (np.array(head[name].value, float) for name in ("ImageOrientationPatient", "ImagePositionPatient"))
    frames = file.pixel_array * float(file.RescaleSlope) + float(file.RescaleIntercept)
    array = np.empty_like(frames)
    array[np.array(file.SliceVector) - 1] = frames
    between_rows, between_columns = (float(value) for value in file.PixelSpacing)
    affine = np.eye(4)
    affine[:3, 0] = cosines[:3] * between_columns
    affine[:3, 1] = cosines[3:] * between_rows
    affine[:3, 2] = np.cross(cosines[:3], cosines[3:]) * float(file.SpacingBetweenSlices)
    affine[:3, 3] = first
    return Volume(array.transpose(2, 1, 0), affine)


def volume_by_simpleitk(path: Path) -> Volume:
    """Read what SimpleITK makes of a file; its points are LPS."""
    image = SimpleITK.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Volume(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0).astype(np.float64), affine)


@dataclass(frozen=True)
class Finding:
    """Where sources were found: (sources, 3) LPS mm off their places, and each one's share of what was found of all."""

    offsets_mm: Float64
    shares: Float64
    voxel_mm: Float64

    def problems(self, sources: Sequence[Source], voxels: float = 0.5) -> list[str]:
        """Say which sources are farther off than `voxels` along an axis, and whose share is a tenth off or more."""
        truth = np.array([source.counts_per_s for source in sources])
        truth = truth / truth.sum()
        said = []
        for index, (offset, share, due) in enumerate(zip(self.offsets_mm, self.shares, truth, strict=True)):
            if not np.all(np.abs(offset) <= voxels * self.voxel_mm):
                said.append(f"source {index} is off by {np.round(offset, 2)} mm")
            if not abs(share - due) < 0.1:
                said.append(f"source {index} holds {share:.2f} of the counts, not {due:.2f}")
        return said


def find(seen: Volume, sources: Sequence[Source]) -> Finding:
    """Look for each source around its place."""
    steps = seen.affine[:3, :3]
    voxel_mm = np.abs(steps).max(axis=1)  # along x, y and z, to which the axes of all these volumes are parallel
    reach = np.ceil(_NEAR_MM / np.linalg.norm(steps, axis=0)).astype(int) + 1
    offsets, amounts = [], []
    for source in sources:
        middle = np.rint(np.linalg.solve(steps, np.array(source.place_mm) - seen.affine[:3, 3])).astype(int)
        low, high = np.maximum(middle - reach, 0), np.maximum(middle + reach + 1, 0)
        box = seen.array[tuple(slice(one, other) for one, other in zip(low, high, strict=True))]
        places = (np.moveaxis(np.indices(box.shape), 0, -1) + low) @ steps.T + seen.affine[:3, 3]
        near = ((places - np.array(source.place_mm)) ** 2).sum(axis=-1) <= _NEAR_MM**2
        values = box[near]
        weights = np.maximum(values - _LEAST * values.max(initial=0.0), 0.0)
        amounts.append(values.sum())
        offsets.append((weights @ places[near]) / max(weights.sum(), 1e-12) - source.place_mm)
    return Finding(np.array(offsets), np.array(amounts) / max(sum(amounts), 1e-12), voxel_mm)
