"""Volumes: NM RECON TOMO with slices either way along the normal, and CT slices."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from tests.dicom.generator.elements import CT_CLASS, decimal, file_dataset, item, nm_dataset, set_pixels
from tests.dicom.generator.scene import Source, Values, voxel_values
from tests.dicom.generator.storing import Stored


@dataclass
class ReconTomo:
    """A reconstructed volume of blobs.

    Slice k lies at `first_mm` + k `spacing_mm` along the normal (columns' direction x rows' direction); a negative
    spacing runs against it (PS3.3 C.8.4.15).
    """

    sources: tuple[Source, ...]
    shape: tuple[int, int, int] = (9, 12, 15)
    pixel_mm: tuple[float, float] = (5.0, 4.0)
    spacing_mm: float = 6.0
    first_mm: tuple[float, float, float] = (-28.0, -27.5, -20.0)
    orientation: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    slice_order: tuple[int, ...] | None = None
    place_of: str = "head"
    stored: Stored = field(default_factory=Stored)
    elements: dict[str, Any] = field(default_factory=dict)

    def places_mm(self) -> Values:
        """Give the LPS place of every voxel, (slices, rows, columns, 3), by the standard's formula."""
        along_columns, along_rows = np.array(self.orientation[:3]), np.array(self.orientation[3:])
        normal = np.cross(along_columns, along_rows)
        k, j, i = (index[..., None] for index in np.indices(self.shape))
        step = k * self.spacing_mm * normal + j * self.pixel_mm[0] * along_rows + i * self.pixel_mm[1] * along_columns
        return np.asarray(np.array(self.first_mm) + step, np.float64)

    def values(self) -> Values:
        """Give every voxel's value as the file holds it."""
        return self.stored.meant_values(self.stored.stored_values(voxel_values(self.sources, self.places_mm())))

    def dataset(self) -> FileDataset:
        order = list(self.slice_order or range(self.shape[0]))
        stored = self.stored.stored_values(voxel_values(self.sources, self.places_mm()))[order]
        made = nm_dataset("RECON TOMO", stored[:1], self.pixel_mm)
        made.NumberOfDetectors, made.NumberOfRotations, made.NumberOfSlices = 1, 1, self.shape[0]
        made.FrameIncrementPointer = 0x00540080
        made.SliceVector = [k + 1 for k in order]
        made.SpacingBetweenSlices = self.spacing_mm
        made.SliceThickness = abs(self.spacing_mm)
        head = item(CollimatorGridName="LEHR", CollimatorType="PARA")
        place = head if self.place_of == "head" else made
        place.ImagePositionPatient = [decimal(value) for value in self.first_mm]
        place.ImageOrientationPatient = [decimal(value, 8) for value in self.orientation]
        made.DetectorInformationSequence = Sequence([head])
        made.RotationInformationSequence = Sequence(
            [item(RotationDirection="CC", ScanArc=360, AngularStep=3, ActualFrameDuration=15000, StartAngle=180)]
        )
        for keyword, value in self.elements.items():
            setattr(made, keyword, value)
        self.stored.put(made, np.ascontiguousarray(stored))
        return made


def ct_slices(
    array: NDArray[np.int16], positions_mm: NDArray[np.float64], orientation: tuple[float, ...] = (1, 0, 0, 0, 1, 0)
) -> list[FileDataset]:
    """CT slices in HU, each at its position, stored with a different rescale."""
    series = generate_uid()
    made = []
    for number, (plane, position) in enumerate(zip(array, positions_mm, strict=True)):
        intercept = -1024 - number
        one = file_dataset(
            CT_CLASS,
            Modality="CT",
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            SeriesInstanceUID=series,
            AcquisitionDate="20240110",
            AcquisitionTime="123000",
            KVP=110,
            ConvolutionKernel="B31s",
            SliceThickness=3,
            PatientPosition="HFS",
            PixelSpacing=[1.5, 1.25],
            ImagePositionPatient=[float(value) for value in position],
            ImageOrientationPatient=list(orientation),
            InstanceNumber=100 - number,
            RescaleSlope=1,
            RescaleIntercept=intercept,
        )
        set_pixels(one, (plane.astype(np.int32) - intercept).astype(np.uint16)[None])
        del one.NumberOfFrames
        made.append(one)
    return made
