"""Jobs on single volumes: metal reduction of a CT, and registration of two images."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from leukospect.assumptions import collected_assumptions
from leukospect.ct.body import body_outline
from leukospect.ct.metal import reduce_metal
from leukospect.ct.metal_summary import MetalSummary, metal_summary
from leukospect.data import CtSeries, Image, ReconstructedSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.dicom.read.study import read_study
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.nifti import read_nifti, write_nifti
from leukospect.files.transforms import write_transform
from leukospect.jobs import inputs_of
from leukospect.provenance import digest_of, provenance_document, write_provenance
from leukospect.reduced_ct_files import holds_whole_hu, write_reduced_ct, write_reduced_ct_dicom
from leukospect.registration import Registration, register_emission_to_ct, register_rigid, resample
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]

_NOT_ESTIMATED = (
    "How far the images lie apart afterwards was not estimated, as it is for an emission image and a CT in HU: compare "
    "them by eye before relying on the result."
)


def mar_job(
    ct_path: Path,
    output: Path,
    *,
    method: str = "adaptive",
    threshold_hu: float | None = None,
    threads: int | None = None,
    progress: Progress,
) -> tuple[MetalSummary, tuple[str, ...]]:
    """Reduce the metal artefacts of a CT series.

    Parameters
    ----------
    ct_path : Path
        Folder, zip archive or DICOMDIR of the series.
    output : Path
        Appears whole: ct.nii.gz as scanned, ct_mar.nii.gz, metal_mask.nii.gz, ``dicom/ct_mar/`` and provenance.json.
    method : str
    threshold_hu : float or None
        See `reduce_metal`.
    threads : int or None
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    (MetalSummary, every assumption and warning)
    """
    texts: list[str] = []
    with whole_folder(output, command="mar", inputs=[ct_path]) as folder, collected_assumptions(texts):
        progress("reading the CT", 0.0)
        ct = read_ct(ct_path, metal_reduced=False)
        reduction = reduce_metal(
            ct,
            method=method,
            threshold_hu=threshold_hu,
            threads=threads,
            progress=lambda done: progress("reducing metal artefacts", done),
        )
        progress("writing the results", 0.0)
        settings = {"command": "mar", "method": method, "threshold_hu": threshold_hu}
        if not ct.gantry_tilt_deg and not holds_whole_hu(ct.image):
            warnings.warn(
                "The CT's numbers are not whole HU; in the NIfTI files they are rounded to whole ones, so that they "
                "differ from the scan by up to half a HU where nothing was changed.",
                AssumptionWarning,
                stacklevel=2,
            )
        write_reduced_ct(folder, ct, reduction)
        write_reduced_ct_dicom(folder / "dicom", ct, reduction, digest_of(settings))
        summary = metal_summary(reduction)
        notes = {
            "CT as scanned": _where_scanned(ct),
            "metal reduction": summary.as_values(),
        }
        write_provenance(provenance_document(settings, inputs_of([ct]), texts, notes), folder / "provenance.json")
        texts += [text for text in ct.header.assumptions if text not in texts]
    return summary, tuple(texts)


def _where_scanned(ct: CtSeries) -> str:
    kept = "the DICOM files that were read are not changed."
    if ct.gantry_tilt_deg:
        return f"ct.nii.gz holds it resampled to upright slices, on the grid of ct_mar.nii.gz; {kept}"
    return f"ct.nii.gz, on the same grid; {kept}"


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
        moving_on_fixed.nii.gz and provenance.json.
    progress : function of a stage's name and the fraction of it done
    """
    texts: list[str] = []
    with (
        whole_folder(output, command="register", inputs=[fixed_path, moving_path]) as folder,
        collected_assumptions(texts),
    ):
        progress("reading", 0.0)
        fixed, moving = read_volume(fixed_path), read_volume(moving_path)
        progress("registering", 0.0)
        found = _registered(fixed, moving)
        if not np.isfinite(found.misalignment_mm):
            warnings.warn(_NOT_ESTIMATED, AssumptionWarning, stacklevel=2)
        progress("registering", 1.0)
        write_transform(found.matrix, folder / "fixed_to_moving.tfm")
        on_fixed = resample(moving, fixed.geometry, fixed_to_moving=found.matrix)
        write_nifti(replace(on_fixed, array=np.asarray(on_fixed.array, np.float32)), folder / "moving_on_fixed.nii.gz")
        notes: dict[str, object] = {"accepted": found.accepted, "reason": found.reason}
        if np.isfinite(found.misalignment_mm):
            notes["expected misalignment, mm"] = round(found.misalignment_mm, 2)
        inputs = [path for path in (fixed_path, moving_path) if path.is_file()]
        write_provenance(provenance_document({"command": "register"}, inputs, texts, notes), folder / "provenance.json")
    return found, tuple(texts)


def _registered(fixed: Image, moving: Image) -> Registration:
    """Register an emission image to a CT, or the other way round, by what the CT foretells; others by information."""
    if (fixed.unit == "HU") == (moving.unit == "HU"):
        return register_rigid(fixed, moving)
    warnings.warn(
        "The emission image is taken as corrected for attenuation, as most are that are kept.",
        AssumptionWarning,
        stacklevel=2,
    )
    if moving.unit == "HU":
        return register_emission_to_ct(fixed, moving, body_outline(moving), attenuated=False)
    found = register_emission_to_ct(moving, fixed, body_outline(fixed), attenuated=False)
    matrix, searched = (np.asarray(np.linalg.inv(one), np.float64) for one in (found.matrix, found.found))
    return replace(found, matrix=matrix, found=searched)


def read_volume(path: Path) -> Image:
    """Read one volume: NIfTI, a CT series, or a reconstructed SPECT or PET in DICOM.

    Raises
    ------
    InputError
        There is no volume, or more than one.
    """
    if not path.exists():
        raise InputError("There is nothing at the path given; check it.")
    if path.is_file() and path.name.lower().endswith((".nii", ".nii.gz")):
        image = read_nifti(path)
        if float(np.min(np.asarray(image.array, np.float32))) < -200:
            warnings.warn(
                "A NIfTI volume with values below -200 is taken as a CT in HU.", AssumptionWarning, stacklevel=2
            )
            return replace(image, unit="HU")
        return image
    volumes = [a for a in read_study(path).acquisitions if isinstance(a, CtSeries | ReconstructedSeries)]
    if len(volumes) != 1:
        raise InputError(f"An input holds {len(volumes)} volumes; give one series, or a NIfTI file.")
    return volumes[0].image
