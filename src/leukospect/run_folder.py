"""The files of a run: what each holds and where it lies in the output folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leukospect.data import Image
from leukospect.dicom.write.recon_tomo import write_reconstruction
from leukospect.files.nifti import write_nifti
from leukospect.files.transforms import write_transform
from leukospect.reduced_ct_files import write_reduced_ct, write_reduced_ct_dicom
from leukospect.spect_algorithms import ReconstructionLog
from leukospect.study_result import SpectResult


def write_images(folder: Path, result: SpectResult, labels: Image | None) -> None:
    """Write the NIfTI images of one SPECT acquisition and its transform to the CT.

    Parameters
    ----------
    folder : Path
        Made by the caller; what is written into it appears with it.
    result : SpectResult
    labels : Image or None
        Regions on the SPECT grid.
    """
    write_nifti(result.recon, folder / "recon.nii.gz")
    if result.log is not None and result.log.objective:
        _write_objective(folder / "objective.csv", result.log)
    if result.recon_nac is not None:
        write_nifti(result.recon_nac, folder / "recon_nac.nii.gz")
    if result.as_scanned is not None:
        write_nifti(result.as_scanned.recon, folder / "recon_ct_as_scanned.nii.gz")
    if result.mu_map is not None:
        write_nifti(result.mu_map, folder / "mu_map.nii.gz")
    if labels is not None:
        write_nifti(labels, folder / "regions.nii.gz")
    on_ct = result.recon_on_ct()
    if on_ct is not None:
        write_nifti(replace(on_ct, array=np.asarray(on_ct.array, np.float32)), folder / "recon_on_ct.nii.gz")
        write_transform(result.spect_to_ct, folder / "spect_to_ct.tfm")
    if result.reduction is not None and result.ct is not None:
        write_reduced_ct(folder, result.ct, result.reduction)


def _write_objective(path: Path, log: ReconstructionLog) -> None:
    """Write what the objective of the image in recon.nii.gz came to after each pass."""
    lines = ["pass,objective,log_likelihood"]
    lines += [f"{one.passes},{one.objective:.9g},{one.log_likelihood:.9g}" for one in log.objective]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_dicom(folder: Path, result: SpectResult, settings_digest: str) -> dict[str, Any]:
    """Write the derived DICOM objects of one SPECT acquisition: the volumes made here, and a CT with less metal.

    A volume that its camera reconstructed is DICOM already, or came as NIfTI, and is not written anew.

    Parameters
    ----------
    folder : Path
    result : SpectResult
    settings_digest : str
        Makes the identifiers of derived DICOM objects follow the settings.

    Returns
    -------
    dict
        What provenance should know of the files, such as the largest rounding of a volume.
    """
    notes = _write_volumes(folder, result, settings_digest)
    if result.reduction is not None and result.reduction.slices and result.ct is not None:
        write_reduced_ct_dicom(folder, result.ct, result.reduction, settings_digest)
    return notes


def _write_volumes(folder: Path, result: SpectResult, settings_digest: str) -> dict[str, Any]:
    if result.counts is None:
        return {"DICOM volume": "The camera's own reconstruction was taken as it is and is not written as DICOM again."}
    calibrated = result.recon.unit == "Bq/mL"
    pictures = {"recon.dcm": (result.recon, result.corrections)}
    if result.recon_nac is not None:
        pictures["recon_nac.dcm"] = (result.recon_nac, tuple(c for c in result.corrections if c != "ATTN"))
    notes: dict[str, Any] = {}
    for name, (image, corrections) in pictures.items():
        record = write_reconstruction(
            image,
            folder / name,
            source=result.counts.projections,
            description="AC" if "ATTN" in corrections else "NAC",
            corrections=corrections,
            settings_digest=settings_digest,
            calibrated=calibrated,
        )
        notes[f"rounding of {name}"] = str(record)
    return notes
