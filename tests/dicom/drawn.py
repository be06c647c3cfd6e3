"""DICOM Segmentations and RT Structure Sets of small lopsided objects, element by element as the standard has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian

FRAME = "1.2.826.0.1.3680043.10.1.77"
SERIES = "1.2.826.0.1.3680043.10.1.78"
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
_LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
_STRUCTURES = "1.2.840.10008.5.1.4.1.1.481.3"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def item(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def _file(sop_class: str, modality: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop_class  # type: ignore[assignment]
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.10.1.79"  # type: ignore[assignment]
    made = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    made.SOPClassUID, made.SOPInstanceUID = sop_class, "1.2.826.0.1.3680043.10.1.79"
    made.Modality = modality
    made.PatientID, made.PatientName = "PH-1", "PHANTOM^POINTS"
    return made


def segmentation(
    frames: Sequence[tuple[int, tuple[float, float, float], NDArray[np.generic]]],
    labels: dict[int, str],
    *,
    pixel_mm: tuple[float, float] = (2.0, 3.0),
    orientation: Sequence[float] = AXIAL,
    spacing_mm: float | None = 4.0,
    thickness_mm: float | None = None,
    sort: str = "BINARY",
) -> FileDataset:
    """Store frames of (segment, place of the first pixel, pixels): one bit each, or 8 bits unless BINARY."""
    made = _file(_LABEL_MAP if sort == "LABELMAP" else _SEGMENTATION, "SEG")
    made.FrameOfReferenceUID = FRAME
    made.ImageType = ["DERIVED", "PRIMARY"]
    made.SegmentationType = sort
    if sort == "FRACTIONAL":
        made.SegmentationFractionalType, made.MaximumFractionalValue = "PROBABILITY", 200
    made.SegmentSequence = Items([item(SegmentNumber=n, SegmentLabel=label) for n, label in labels.items()])
    made.ReferencedSeriesSequence = Items([item(SeriesInstanceUID=SERIES)])
    measures = item(PixelSpacing=list(pixel_mm))
    if spacing_mm is not None:
        measures.SpacingBetweenSlices = spacing_mm
    if thickness_mm is not None:
        measures.SliceThickness = thickness_mm
    made.SharedFunctionalGroupsSequence = Items(
        [
            item(
                PixelMeasuresSequence=Items([measures]),
                PlaneOrientationSequence=Items([item(ImageOrientationPatient=list(orientation))]),
            )
        ]
    )
    groups = []
    for segment, place, _ in frames:
        group = item(PlanePositionSequence=Items([item(ImagePositionPatient=[float(x) for x in place])]))
        if sort != "LABELMAP":
            group.SegmentIdentificationSequence = Items([item(ReferencedSegmentNumber=segment)])
        groups.append(group)
    made.PerFrameFunctionalGroupsSequence = Items(groups)
    pixels = np.stack([one for _, _, one in frames])
    made.NumberOfFrames, made.Rows, made.Columns = pixels.shape
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    bits = 1 if sort == "BINARY" else 8
    made.BitsAllocated = made.BitsStored = bits
    made.HighBit = bits - 1
    packed = np.packbits(pixels.astype(bool).ravel(), bitorder="little") if bits == 1 else pixels.astype(np.uint8)
    content = packed.tobytes()
    made["PixelData"] = _pixels(content + b"\0" * (len(content) % 2))
    return made


def _pixels(content: bytes) -> DataElement:
    holder = Dataset()
    holder.add_new(0x7FE00010, "OB", content)
    element: DataElement = holder[0x7FE00010]
    return element


def structures(rois: dict[str, Sequence[NDArray[np.float64]]], sort: str = "CLOSED_PLANAR") -> FileDataset:
    """Store regions of interest of contours, (points, 3), LPS mm."""
    made = _file(_STRUCTURES, "RTSTRUCT")
    series = item(SeriesInstanceUID=SERIES)
    study = item(RTReferencedSeriesSequence=Items([series]))
    made.ReferencedFrameOfReferenceSequence = Items(
        [item(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=Items([study]))]
    )
    made.StructureSetROISequence = Items(
        [
            item(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=FRAME)
            for number, name in enumerate(rois, start=1)
        ]
    )
    made.ROIContourSequence = Items(
        [
            item(ReferencedROINumber=number, ContourSequence=Items([contour(one, sort) for one in contours]))
            for number, contours in enumerate(rois.values(), start=1)
        ]
    )
    return made


def contour(points: NDArray[np.float64], sort: str = "CLOSED_PLANAR") -> Dataset:
    return item(
        ContourGeometricType=sort,
        NumberOfContourPoints=len(points),
        ContourData=[f"{value:.3f}" for value in np.asarray(points).ravel()],
    )


def saved(made: FileDataset, folder: Path, name: str = "drawn.dcm") -> Path:
    made.save_as(folder / name, enforce_file_format=True)
    return folder / name
