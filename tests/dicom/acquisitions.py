"""Nuclear medicine and CT files made in memory, of points whose place on every view is known in closed form.

Written from the standard and geometry's formulas alone, with pydicom; nothing of the readers is used.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

NM_CLASS = "1.2.840.10008.5.1.4.1.1.20"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
VECTORS = {
    "window": "EnergyWindowVector",
    "head": "DetectorVector",
    "rotation": "RotationVector",
    "view": "AngularViewVector",
}
TAGS = {"window": 0x00540010, "head": 0x00540020, "rotation": 0x00540050, "view": 0x00540090}


def u(angle_deg: float) -> NDArray[np.float64]:
    t = np.deg2rad(angle_deg)
    return np.array([-np.cos(t), np.sin(t), 0.0])


def n(angle_deg: float) -> NDArray[np.float64]:
    t = np.deg2rad(angle_deg)
    return np.array([np.sin(t), np.cos(t), 0.0])


V = np.array([0.0, 0.0, -1.0])


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def file_dataset(sop_class: str, **elements: Any) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID(sop_class)
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = sop_class, meta.MediaStorageSOPInstanceUID
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.3.4", generate_uid()
    made.FrameOfReferenceUID = "1.2.3.5"
    made.PatientName, made.PatientID = "Nobody^Known", "N1"
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def set_pixels(dataset: FileDataset, pixels: NDArray[Any]) -> None:
    dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()


def nm_dataset(kind: str, pixels: NDArray[Any], pixel_mm: tuple[float, float], windows: int = 1) -> FileDataset:
    made = file_dataset(
        NM_CLASS,
        Modality="NM",
        ImageType=["ORIGINAL", "PRIMARY", kind, "EMISSION"],
        AcquisitionDate="20240110",
        AcquisitionTime="120000",
        PixelSpacing=list(pixel_mm),
        PatientPosition="HFS",
        NumberOfEnergyWindows=windows,
    )
    limits = [(126.0, 154.0), (119.0, 126.0), (154.0, 161.0)][:windows]
    made.EnergyWindowInformationSequence = Sequence(
        item(EnergyWindowRangeSequence=Sequence([item(EnergyWindowLowerLimit=low, EnergyWindowUpperLimit=high)]))
        for low, high in limits
    )
    nuclide = item(CodeValue="C-163A8", CodingSchemeDesignator="SRT", CodeMeaning="^99m^Technetium")
    made.RadiopharmaceuticalInformationSequence = Sequence(
        [
            item(
                RadiopharmaceuticalStartDateTime="20240110080000",
                RadionuclideTotalDose=400,
                RadionuclideCodeSequence=Sequence([nuclide]),
            )
        ]
    )
    set_pixels(made, pixels)
    return made


@dataclass
class Tomo:
    """A TOMO acquisition of points; `dataset()` writes it, `pixel_of()` says where a point must be read."""

    points_mm: tuple[tuple[float, float, float], ...] = ((31.0, -22.0, 17.0),)
    axis_mm: tuple[float, float] = (0.0, 0.0)
    first_row_z_mm: float = 63.0
    shape: tuple[int, int] = (24, 40)
    pixel_mm: tuple[float, float] = (5.0, 4.0)
    start_angles_deg: tuple[float, ...] = (180.0,)
    direction: str = "CC"
    views: int = 12
    step_deg: float = 30.0
    windows: int = 1
    frame_order: tuple[str, ...] = ("window", "head", "view")
    angles_of: str = "head"
    radii_mm: tuple[float, ...] | None = (250.0,)
    gantry: str = "HFS"
    positions: bool = True
    centre_offset_mm: float = 0.0
    elements: dict[str, Any] = field(default_factory=dict)

    def angles_deg(self, head: int) -> NDArray[np.float64]:
        """The patient's angles."""
        turn = 1 if self.direction == "CC" else -1
        return self.start_angles_deg[head] + turn * self.step_deg * np.arange(self.views, dtype=np.float64)

    def pixel_of(self, point: tuple[float, float, float], angle_deg: float) -> tuple[float, float]:
        """(row, column) where a point lands, by the data types' convention."""
        columns = self.shape[1]
        p = np.array(point) - np.array([*self.axis_mm, 0.0])
        row = (self.first_row_z_mm - point[2]) / self.pixel_mm[0]
        return row, (columns - 1) / 2 + (p @ u(angle_deg) + self.centre_offset_mm) / self.pixel_mm[1]

    def counts(self) -> NDArray[np.uint16]:
        """(windows, heads, views, rows, columns), patient's way up; bilinear, so that the centroid is exact."""
        made = np.zeros((self.windows, len(self.start_angles_deg), self.views, *self.shape))
        for head in range(made.shape[1]):
            for view, angle in enumerate(self.angles_deg(head)):
                for strength, point in enumerate(self.points_mm, start=1):
                    row, column = self.pixel_of(point, angle)
                    i, j = int(np.floor(row)), int(np.floor(column))
                    down, right = row - i, column - j
                    for di, dj, part in (
                        (0, 0, (1 - down) * (1 - right)),
                        (0, 1, (1 - down) * right),
                        (1, 0, down * (1 - right)),
                        (1, 1, down * right),
                    ):
                        made[:, head, view, i + di, j + dj] += 10000 * strength * part
        made *= (1 + np.arange(self.windows)).reshape(-1, 1, 1, 1, 1)
        return np.round(made).astype(np.uint16)

    def dataset(self) -> FileDataset:
        """Write it in the frame order asked for, with the patient's angles or the gantry's."""
        heads = len(self.start_angles_deg)
        counts = self.counts()
        flipped = self.gantry in ("FFS", "FFP")
        if flipped:
            counts = counts[..., ::-1, ::-1]
        sizes = {"window": self.windows, "head": heads, "view": self.views}
        places = [
            dict(zip(self.frame_order, index, strict=True))
            for index in np.ndindex(*[sizes[k] for k in self.frame_order])
        ]
        pixels = np.stack([counts[p["window"], p["head"], p["view"]] for p in places])
        made = nm_dataset("TOMO", pixels, self.pixel_mm, self.windows)
        made.PatientPosition = self.gantry
        made.NumberOfDetectors, made.NumberOfRotations = heads, 1
        made.FrameIncrementPointer = [TAGS[name] for name in VECTORS]
        for name, keyword in VECTORS.items():
            setattr(made, keyword, [place.get(name, 0) + 1 for place in places])
        made.DetectorInformationSequence = Sequence(self._head(head, flipped) for head in range(heads))
        rotation = item(
            RotationDirection=self._recorded_direction(),
            ScanArc=self.step_deg * self.views,
            AngularStep=self.step_deg,
            ActualFrameDuration=15000,
            NumberOfFramesInRotation=self.views,
            StartAngle=self._recorded(self.start_angles_deg[0]),
        )
        if self.angles_of == "rotation" and self.radii_mm is not None:
            rotation.RadialPosition = list(self.radii_mm)
        made.RotationInformationSequence = Sequence([rotation])
        for keyword, value in self.elements.items():
            setattr(made, keyword, value)
        return made

    def _recorded(self, angle_deg: float) -> float:
        """What a camera writes that takes everybody for head-first supine."""
        recorded = {"HFS": angle_deg, "FFS": -angle_deg, "HFP": angle_deg - 180.0, "FFP": 180.0 - angle_deg}[
            self.gantry
        ]
        return recorded % 360.0

    def _recorded_direction(self) -> str:
        if self.gantry in ("FFS", "FFP"):
            return {"CC": "CW", "CW": "CC"}[self.direction]
        return self.direction

    def _head(self, head: int, flipped: bool) -> Dataset:
        made = item(CollimatorGridName="LEHR", CollimatorType="PARA")
        angle = self.start_angles_deg[head]
        if self.angles_of == "head":
            made.StartAngle = self._recorded(angle)
            if self.radii_mm is not None:
                made.RadialPosition = list(self.radii_mm)
        if self.centre_offset_mm:
            made.CenterOfRotationOffset = -self.centre_offset_mm if flipped else self.centre_offset_mm
        if self.positions:
            rows, columns = self.shape
            right, down = (-u(angle), -V) if flipped else (u(angle), V)
            middle_z = self.first_row_z_mm - (rows - 1) / 2 * self.pixel_mm[0]
            radius = self.radii_mm[0] if self.radii_mm else 0.0
            middle = np.array([*self.axis_mm, middle_z]) + radius * n(angle)
            first = middle - (columns - 1) / 2 * self.pixel_mm[1] * right - (rows - 1) / 2 * self.pixel_mm[0] * down
            made.ImagePositionPatient = [round(float(value), 6) for value in first]
            made.ImageOrientationPatient = [round(float(value), 8) for value in (*right, *down)]
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


def save(folder: Path, *datasets: FileDataset) -> Path:
    """Write files with names that tell nothing, the last one first."""
    folder.mkdir(parents=True, exist_ok=True)
    offset = len(list(folder.iterdir()))
    for number, dataset in enumerate(reversed(datasets)):
        dataset.save_as(folder / f"{offset + number:04d}.dcm", enforce_file_format=True)
    return folder
