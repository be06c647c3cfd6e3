"""Datasets with what every nuclear medicine or CT file must have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

NM_CLASS = "1.2.840.10008.5.1.4.1.1.20"
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
Ranges = tuple[tuple[float, float], ...]
TC_WINDOWS: tuple[Ranges, ...] = (((126.0, 154.0),), ((119.0, 126.0),), ((154.0, 161.0),))
NUCLIDES = {"Tc-99m": ("C-163A8", "^99m^Technetium"), "In-111": ("C-145A4", "^111^Indium")}


def item(**elements: Any) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def decimal(value: float, digits: int = 6) -> float:
    """Round so that a Decimal String's 16 characters hold it."""
    return round(float(value), digits)


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
    """Store (frames, rows, columns) as they are, little-endian."""
    dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[1:]
    dataset.BitsAllocated = dataset.BitsStored = 8 * pixels.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    stored = pixels.tobytes()
    dataset.PixelData = stored + b"\0" * (len(stored) % 2)
    dataset["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"


def energy_window_items(windows: tuple[Ranges, ...]) -> Sequence:
    """Describe energy windows, each of one or several ranges in keV."""
    return Sequence(
        item(
            EnergyWindowRangeSequence=Sequence(
                item(EnergyWindowLowerLimit=low, EnergyWindowUpperLimit=high) for low, high in ranges
            )
        )
        for ranges in windows
    )


def nm_dataset(
    kind: str,
    pixels: NDArray[Any],
    pixel_mm: tuple[float, float],
    windows: int = 1,
    *,
    window_ranges_kev: tuple[Ranges, ...] | None = None,
    nuclide: str = "Tc-99m",
) -> FileDataset:
    """Make a nuclear medicine file of one patient and injection, without what tells its frames apart."""
    limits = TC_WINDOWS[:windows] if window_ranges_kev is None else window_ranges_kev
    made = file_dataset(
        NM_CLASS,
        Modality="NM",
        ImageType=["ORIGINAL", "PRIMARY", kind, "EMISSION"],
        AcquisitionDate="20240110",
        AcquisitionTime="120000",
        PixelSpacing=list(pixel_mm),
        PatientPosition="HFS",
        NumberOfEnergyWindows=windows if window_ranges_kev is None else len(limits),
    )
    made.EnergyWindowInformationSequence = energy_window_items(limits)
    value, meaning = NUCLIDES[nuclide]
    coded = item(CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning=meaning)
    made.RadiopharmaceuticalInformationSequence = Sequence(
        [
            item(
                RadiopharmaceuticalStartDateTime="20240110080000",
                RadionuclideTotalDose=400,
                RadionuclideCodeSequence=Sequence([coded]),
            )
        ]
    )
    set_pixels(made, pixels)
    return made


def save(folder: Path, *datasets: FileDataset) -> Path:
    """Write files with names that tell nothing, the last one first."""
    folder.mkdir(parents=True, exist_ok=True)
    offset = len(list(folder.iterdir()))
    for number, dataset in enumerate(reversed(datasets)):
        dataset.save_as(folder / f"{offset + number:04d}.dcm", enforce_file_format=True)
    return folder
