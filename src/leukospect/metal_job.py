"""The metal reduction of a CT by itself: from a series to its folder of results."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from leukospect.assumptions import collected_assumptions
from leukospect.ct.metal import reduce_metal
from leukospect.ct.metal_summary import MetalSummary, metal_summary
from leukospect.data import CtSeries
from leukospect.dicom.read.ct import read_ct
from leukospect.errors import AssumptionWarning
from leukospect.jobs import inputs_of
from leukospect.provenance import digest_of, provenance_document, write_provenance
from leukospect.reduced_ct_files import holds_whole_hu, write_reduced_ct, write_reduced_ct_dicom
from leukospect.whole_files import whole_folder

Progress = Callable[[str, float], None]


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
