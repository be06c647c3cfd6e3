"""The registration of two images by itself: from two volumes to the folder with their transform."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from leukospect.assumptions import collected_assumptions
from leukospect.ct.body import body_outline
from leukospect.data import Image
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.nifti import write_nifti
from leukospect.files.transforms import write_transform
from leukospect.provenance import hash_files, provenance_document, write_provenance
from leukospect.registration import FLAG_MM, Registration, register_emission_to_ct, register_rigid, resample
from leukospect.report.figures_canvas import png
from leukospect.report.figures_pair import pair_check
from leukospect.single_volume import SingleVolume, read_single_volume
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]

_NOT_ESTIMATED = (
    "How far the images lie apart afterwards was not estimated, as it is for an emission image and a CT in HU: compare "
    "them by eye before relying on the result."
)


def register_job(
    fixed_path: Path, moving_path: Path, output: Path, *, progress: Progress
) -> tuple[Registration, tuple[str, ...]]:
    """Register one image to another, rigidly.

    Parameters
    ----------
    fixed_path, moving_path : Path
        A CT series, a reconstructed SPECT (DICOM) or a NIfTI file each.
    output : Path
        Appears whole: fixed_to_moving.tfm (takes points of the fixed image to points of the moving one, LPS mm),
        moving_on_fixed.nii.gz, alignment.png and provenance.json.
    progress : function of a stage's name and the fraction of it done

    Raises
    ------
    InputError
        An input holds no volume or several, or one that shows nothing.
    """
    texts: list[str] = []
    with (
        whole_folder(output, command="register", inputs=[fixed_path, moving_path]) as folder,
        collected_assumptions(texts),
    ):
        progress("reading", 0.0)
        fixed, moving = _shown(fixed_path, "fixed"), _shown(moving_path, "moving")
        progress("registering", 0.0)
        found = _registered(fixed, moving)
        if not np.isfinite(found.misalignment_mm):
            warnings.warn(_NOT_ESTIMATED, AssumptionWarning, stacklevel=2)
        if found.misalignment_mm >= FLAG_MM or found.mirrored:
            warnings.warn(found.reason, AssumptionWarning, stacklevel=2)
        progress("registering", 1.0)
        write_transform(found.matrix, folder / "fixed_to_moving.tfm")
        on_fixed = resample(moving.image, fixed.image.geometry, fixed_to_moving=found.matrix)
        write_nifti(replace(on_fixed, array=np.asarray(on_fixed.array, np.float32)), folder / "moving_on_fixed.nii.gz")
        (folder / "alignment.png").write_bytes(png(pair_check(fixed.image, moving.image, found.matrix)))
        settings = {"command": "register"}
        document = provenance_document(settings, fixed.files + moving.files, texts, _notes(found, fixed, moving))
        write_provenance(document, folder / "provenance.json")
    return found, tuple(texts)


def _shown(path: Path, role: str) -> SingleVolume:
    """Read a volume, and refuse one that shows nothing."""
    volume = read_single_volume(path)
    if float(np.ptp(volume.image.array)) == 0:
        raise InputError(f"All voxels of the {role} image have one value, so there is nothing to register; check it.")
    return volume


def _notes(found: Registration, fixed: SingleVolume, moving: SingleVolume) -> dict[str, object]:
    notes: dict[str, object] = {"accepted": found.accepted, "reason": found.reason}
    for role, volume in (("fixed", fixed), ("moving", moving)):
        grid = volume.image.geometry
        notes[f"{role} image"] = {
            "kind": "CT" if volume.image.unit == "HU" else "emission image",
            "slices, rows, columns": grid.shape,
            "spacing, mm": [round(float(mm), 4) for mm in grid.spacing_mm],
            "inputs_sha256": sorted(set(hash_files(volume.files).values())),
        }
    if np.isfinite(found.misalignment_mm):
        notes["expected misalignment, mm"] = round(found.misalignment_mm, 2)
    return notes


def _registered(fixed: SingleVolume, moving: SingleVolume) -> Registration:
    """Register an emission image to a CT, or the other way round, by what the CT foretells; others by information."""
    if (fixed.image.unit == "HU") == (moving.image.unit == "HU"):
        return register_rigid(fixed.image, moving.image)
    if moving.image.unit == "HU":
        return _to_ct(fixed, moving.image)
    found = _to_ct(moving, fixed.image)
    matrix, searched = (np.asarray(np.linalg.inv(one), np.float64) for one in (found.matrix, found.found))
    return replace(found, matrix=matrix, found=searched)


def _to_ct(emission: SingleVolume, ct: Image) -> Registration:
    if emission.attenuation_corrected is None:
        warnings.warn(
            "The emission image is taken as corrected for attenuation, as most are that are kept.",
            AssumptionWarning,
            stacklevel=2,
        )
    attenuated = emission.attenuation_corrected is False
    return register_emission_to_ct(emission.image, ct, body_outline(ct), attenuated=attenuated)
