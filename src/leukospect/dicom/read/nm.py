"""A nuclear medicine file to what it is, by Image Type value 3."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from pydicom.dataset import Dataset

from leukospect.data import PlanarImages, Projections, ReconstructedSeries
from leukospect.dicom.elements import library_warnings_silenced, named, texts
from leukospect.dicom.read.entries import Entry, find_entries, load
from leukospect.dicom.read.planar import PLANAR_KINDS, read_planar
from leukospect.dicom.read.reconstructed import read_recon_tomo
from leukospect.dicom.read.tomo import read_tomo
from leukospect.errors import AssumptionWarning, InputError


def read_nm(source: Dataset | Path) -> Projections | PlanarImages | ReconstructedSeries:
    """Read a nuclear medicine image.

    Parameters
    ----------
    source : pydicom Dataset or Path of a file

    Returns
    -------
    Projections for TOMO and GATED TOMO, PlanarImages for STATIC, WHOLE BODY, DYNAMIC and GATED, ReconstructedSeries for
    RECON TOMO. Gates and time frames are added up; how many is in `summed_frames`.

    Raises
    ------
    InputError
        It is of another kind, or its frames cannot be told apart.
    GeometryError
        Angles, positions or sizes are missing or contradict each other.

    Warns
    -----
    AssumptionWarning
        What had to be assumed; the same sentences are in the header.
    """
    with library_warnings_silenced():
        if isinstance(source, Path):
            acquisition = nm_acquisition(load(_only_entry(source)), [], [source])
        else:
            acquisition = nm_acquisition(source, [])
    for sentence in acquisition.header.assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return acquisition


def _only_entry(path: Path) -> Entry:
    found = find_entries(path)
    if not found.single or not found.entries:
        raise InputError(f"One nuclear medicine file is needed: {found.summary()}.")
    return found.entries[0]


def nm_acquisition(
    dataset: Dataset, assumptions: list[str], sources: Sequence[Path] = ()
) -> Projections | PlanarImages | ReconstructedSeries:
    """Read a nuclear medicine image; see `read_nm`. Assumptions are gathered and not warned of."""
    values = [value.upper() for value in texts(dataset, "ImageType")]
    kind = values[2] if len(values) > 2 else ""
    if "TRANSMISSION" in values[3:]:
        raise InputError("The image is a transmission scan, which is not read.")
    if kind in ("TOMO", "GATED TOMO"):
        return read_tomo(dataset, assumptions, sources)
    if kind in PLANAR_KINDS:
        return read_planar(dataset, PLANAR_KINDS[kind], assumptions, sources)
    if kind == "RECON TOMO":
        return read_recon_tomo(dataset, assumptions, sources)
    if kind == "RECON GATED TOMO":
        raise InputError("The images are RECON GATED TOMO, which is not read; give their sum as RECON TOMO.")
    raise InputError(f"{named('ImageType')} does not tell a kind of nuclear medicine image that is read.")
