"""A volume of Gaussian spots at known LPS places, as a camera's software would store it: RECON TOMO, PET class, NIfTI.

Written with pydicom and nibabel alone, from the standard; nothing of the readers is used.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from tests.dicom.acquisitions import NM_CLASS, file_dataset, item, save, set_pixels

Float64 = NDArray[np.float64]
PET_CLASS = "1.2.840.10008.5.1.4.1.1.128"
INJECTED = datetime(2024, 1, 10, 8, 0)
HALF_LIFE_H = 6.0072
FRAME = "1.2.3.5"

# Left and behind; right and in front: whatever is mirrored or shifted is seen. Whole steps of the grid apart.
SHAPE = (26, 34, 30)
STEP_MM = (5.0, 3.0, 4.0)  # slices, rows, columns
FIRST_MM = np.array([-47.0, -61.0, 103.0])  # x, y, z of the lowest, foremost, rightmost voxel's centre
LESION_MM = FIRST_MM + np.array([20 * 4.0, 22 * 3.0, 17 * 5.0])
MARROW_MM = FIRST_MM + np.array([8 * 4.0, 11 * 3.0, 8 * 5.0])
ACTIVITY = {4.0: (6000.0, 3000.0), 24.0: (9000.0, 2500.0)}  # Bq/mL at the start: lesion, marrow
RATIO = {hours: lesion / marrow for hours, (lesion, marrow) in ACTIVITY.items()}
CHANGE = RATIO[24.0] / RATIO[4.0] - 1.0
OWN_CHANGE = 1.5 * 2.0 ** (20.0 / HALF_LIFE_H) - 1.0
SIGMA_MM, RADIUS_MM = 9.0, 13.0

REGIONS = "".join(
    f'[[region]]\nname = "{name}"\nrole = "{role}"\n{reference}'
    f"[[region.sphere]]\ncenter_mm = {place.tolist()}\nradius_mm = {RADIUS_MM}\n"
    for name, role, reference, place in (
        ("plate", "lesion", 'reference = "marrow"\n', LESION_MM),
        ("marrow", "reference", "", MARROW_MM),
    )
)


def places_mm() -> Float64:
    """LPS place of every voxel, (slices, rows, columns, 3): x to the left, y to the back, z to the head."""
    k, j, i = np.indices(SHAPE)
    return np.asarray(np.stack([i * STEP_MM[2], j * STEP_MM[1], k * STEP_MM[0]], axis=-1) + FIRST_MM, np.float64)


def spots(hours: float, *, attenuated: bool = False) -> Float64:
    """(slices, rows, columns) Bq/mL; attenuated, the lesion loses more than the marrow."""
    lesion, marrow = ACTIVITY[hours]
    if attenuated:
        lesion, marrow = 0.3 * lesion, 0.6 * marrow
    volume = np.zeros(SHAPE)
    for strength, place in ((lesion, LESION_MM), (marrow, MARROW_MM)):
        volume += strength * np.exp(-((places_mm() - place) ** 2).sum(axis=-1) / (2 * SIGMA_MM**2))
    return volume


def _times(made: FileDataset, hours: float) -> None:
    start = INJECTED + timedelta(hours=hours)
    made.AcquisitionDate, made.AcquisitionTime = start.strftime("%Y%m%d"), start.strftime("%H%M%S")


def _tracer(nuclide: tuple[str, str] = ("C-163A8", "^99m^Technetium")) -> Sequence:
    code = item(CodeValue=nuclide[0], CodingSchemeDesignator="SRT", CodeMeaning=nuclide[1])
    return Sequence(
        [
            item(
                Radiopharmaceutical="HMPAO leukocytes",
                RadiopharmaceuticalStartDateTime=INJECTED.strftime("%Y%m%d%H%M%S"),
                RadionuclideCodeSequence=Sequence([code]),
            )
        ]
    )


def _stored(volume: Float64) -> tuple[NDArray[np.uint16], float]:
    """Whole numbers, and what one of them is worth."""
    step = float(f"{volume.max() / 60000.0:.9g}")
    return np.rint(volume / step).astype(np.uint16), step


def recon_tomo(hours: float, volume: Float64, *, downwards: bool = False, **elements: Any) -> FileDataset:
    """NM RECON TOMO; `downwards`: the first slice is the one nearest the head, Spacing Between Slices is negative."""
    stored, step = _stored(volume)
    made = file_dataset(NM_CLASS, Modality="NM", ImageType=["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"])
    _times(made, hours)
    made.SeriesDate, made.SeriesTime = "20240301", "120000"  # reconstructed weeks later
    set_pixels(made, stored[::-1] if downwards else stored)
    made.FrameOfReferenceUID = FRAME
    made.PixelSpacing, made.SliceThickness = [STEP_MM[1], STEP_MM[2]], STEP_MM[0]
    made.SpacingBetweenSlices = -STEP_MM[0] if downwards else STEP_MM[0]
    made.NumberOfSlices = SHAPE[0]
    made.FrameIncrementPointer = 0x00540080
    made.SliceVector = list(range(1, SHAPE[0] + 1))
    made.RescaleSlope, made.RescaleIntercept, made.Units = f"{step:.9g}", 0, "BQML"
    made.CorrectedImage = ["DECY", "ATTN"]
    made.RadiopharmaceuticalInformationSequence = _tracer()
    first = FIRST_MM + np.array([0.0, 0.0, (SHAPE[0] - 1) * STEP_MM[0] if downwards else 0.0])
    made.DetectorInformationSequence = Sequence(
        [item(ImagePositionPatient=first.tolist(), ImageOrientationPatient=[1, 0, 0, 0, 1, 0])]
    )
    made.RotationInformationSequence = Sequence([rotation()])
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def rotation(views: int = 60, milliseconds: int = 20000) -> Dataset:
    """Two heads of 180 degrees each."""
    return item(NumberOfFramesInRotation=views, ActualFrameDuration=milliseconds, ScanArc=180, AngularStep=180 / views)


def slices_of(hours: float, volume: Float64, sop_class: str, **elements: Any) -> list[FileDataset]:
    """A file for each slice, each with a rescale of its own, in no order: PET, or RECON TOMO of single frames."""
    series, made = generate_uid(), []
    for k in np.random.default_rng(5).permutation(SHAPE[0]):
        stored, step = _stored(volume[k] + 1e-3)
        one = file_dataset(sop_class, SeriesInstanceUID=series, InstanceNumber=int(k) + 1)
        if sop_class == PET_CLASS:
            one.Modality, one.ImageType = "PT", ["ORIGINAL", "PRIMARY"]
            one.DecayCorrection, one.AttenuationCorrectionMethod = "START", "CT"
            one.ActualFrameDuration = 1200000
        else:
            one.Modality, one.ImageType = "NM", ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"]
            one.RotationInformationSequence = Sequence([rotation()])
        _times(one, hours)
        set_pixels(one, stored[None])
        one.FrameOfReferenceUID = FRAME
        one.PixelSpacing, one.SliceThickness = [STEP_MM[1], STEP_MM[2]], STEP_MM[0]
        place, along = (FIRST_MM + np.array([0.0, 0.0, k * STEP_MM[0]])).tolist(), [1, 0, 0, 0, 1, 0]
        if sop_class == PET_CLASS:
            del one.NumberOfFrames
            one.ImagePositionPatient, one.ImageOrientationPatient = place, along
        else:
            head = item(ImagePositionPatient=place, ImageOrientationPatient=along)
            one.DetectorInformationSequence = Sequence([head])
        one.RescaleSlope, one.RescaleIntercept, one.Units = f"{step:.9g}", 0, "BQML"
        one.CorrectedImage = ["DECY", "ATTN"]
        one.RadiopharmaceuticalInformationSequence = _tracer()
        for keyword, value in elements.items():
            setattr(one, keyword, value)
        made.append(one)
    return made


def sidecar(hours: float, **keys: Any) -> dict[str, Any]:
    """Keys of a SPECT in Bq/mL; None takes one away."""
    document = {
        "Modality": "SPECT",
        "Units": "Bq/mL",
        "TracerName": "HMPAO leukocytes",
        "TracerRadionuclide": "Tc99m",
        "InjectionStart": INJECTED.isoformat(),
        "AcquisitionTime": (INJECTED + timedelta(hours=hours)).isoformat(),
        "FrameDuration": 1200,
        "DecayCorrected": True,
        "AttenuationCorrected": True,
        "FrameOfReference": f"scanner at {hours:g} h",
        **keys,
    }
    return {key: value for key, value in document.items() if value is not None}


def save_nifti(path: Path, volume: Float64, document: dict[str, Any] | None, first_mm: Float64 = FIRST_MM) -> Path:
    """Write a volume (slices, rows, columns) of the grid's steps as a sagittal NIfTI file, and its sidecar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # axes of the file: to the front, to the head, to the right
    stored = volume.transpose(1, 0, 2)[::-1, :, ::-1]
    rows, _, columns = volume.shape[1], volume.shape[0], volume.shape[2]
    affine = np.zeros((4, 4))
    affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = STEP_MM[1], STEP_MM[0], STEP_MM[2], 1.0
    x, y, z = first_mm + np.array([(columns - 1) * STEP_MM[2], (rows - 1) * STEP_MM[1], 0.0])
    affine[:3, 3] = -x, -y, z  # NIfTI: +x to the right, +y to the front
    image = nib.Nifti1Image(np.ascontiguousarray(stored, dtype=np.float32), affine)
    image.header.set_xyzt_units(xyz="mm")
    nib.save(image, path)
    if document is not None:
        path.with_name(path.name.removesuffix(".nii.gz") + ".json").write_text(json.dumps(document))
    return path


def make_study(folder: Path, door: str) -> Path:
    """Write both times through one door, with the volumes that are not attenuation-corrected where it has them."""
    for hours in ACTIVITY:
        if door.startswith("recon tomo"):
            down = door.endswith("downwards")
            save(folder, recon_tomo(hours, spots(hours), downwards=down))
            without = recon_tomo(hours, spots(hours, attenuated=True), downwards=not down, CorrectedImage=["DECY"])
            save(folder, without)
        elif door == "recon slices":
            save(folder / f"{hours:g}", *slices_of(hours, spots(hours), NM_CLASS))
        elif door == "pet class":
            save(folder / f"{hours:g}", *slices_of(hours, spots(hours), PET_CLASS))
        else:
            save_nifti(folder / f"{hours:g}h.nii.gz", spots(hours), sidecar(hours))
    return folder
