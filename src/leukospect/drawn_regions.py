"""The regions that a reader drew, of whatever format, on the grid of the images that they are measured in."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukospect.data import AcquisitionHeader, Geometry, Image
from leukospect.dicom.read.drawn import is_dicom_file, read_drawn_regions
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.drawn_parts import Part, parts_of_drawn
from leukospect.files.regions import read_regions, with_mirrors
from leukospect.quantification.drawn import DrawnRegions
from leukospect.quantification.measurements import Region
from leukospect.quantification.regions import RegionDefinition, rasterise


@dataclass(frozen=True, slots=True, eq=False)
class RegionsFile:
    """A region file; a DICOM one is read already, so that it is refused before anything is computed.

    Parameters
    ----------
    path : Path
    drawn : DrawnRegions or None
        None for TOML and NIfTI, which are read onto the grid itself.
    parts : tuple of Part
        What the drawn regions are to be measured as.
    """

    path: Path
    drawn: DrawnRegions | None = None
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class DrawnOn:
    """The image that regions are measured in, and the CT that they may have been drawn on.

    Parameters
    ----------
    header : AcquisitionHeader
    ct : AcquisitionHeader or None
    to_ct : (4, 4) array or None
        Takes the image's points to the CT's, LPS mm.
    body : function or None
        Gives the body's outline on the grid, where mirror regions are to be made.
    """

    header: AcquisitionHeader
    ct: AcquisitionHeader | None = None
    to_ct: NDArray[np.float64] | None = None
    body: Callable[[], NDArray[np.bool_]] | None = None


def open_regions(path: Path) -> RegionsFile:
    """Read a region file as far as it can be without the images.

    Raises
    ------
    LeukospectError
        A DICOM file that cannot be used, or a table beside it that does not fit.
    """
    if path.suffix == ".toml" or path.name.endswith((".nii", ".nii.gz")) or not is_dicom_file(path):
        return RegionsFile(path)
    drawn = read_drawn_regions(path)
    names = {one.number: one.name for one in drawn.regions if one.drawn is not None}
    if not names:
        raise InputError(f"In none of the {drawn.kind}s of the region file anything is drawn.")
    empty = [one.name for one in drawn.regions if one.drawn is None]
    if empty:
        told = ", ".join(f"'{name}'" for name in empty[:5]) + (" and more" if len(empty) > 5 else "")
        warnings.warn(
            f"In {len(empty)} of {len(drawn.regions)} {drawn.kind}s of the region file no area is drawn ({told}); they "
            "are not measured.",
            AssumptionWarning,
            stacklevel=2,
        )
    return RegionsFile(path, drawn, parts_of_drawn(path, names, drawn.kind))


def regions_on_grid(file: RegionsFile, geometry: Geometry, on: DrawnOn) -> tuple[Image, tuple[Region, ...]]:
    """Put the regions of a file onto a grid, with mirror regions for lesions that have no reference.

    Parameters
    ----------
    file : RegionsFile
    geometry : Geometry
        Of the image that they are measured in.
    on : DrawnOn

    Raises
    ------
    InputError
        They were drawn in another frame of reference, or lie outside the image.
    """
    labels, regions = _on_grid(file, geometry, on)
    _tell_of_sides(regions)
    return labels, regions


def _on_grid(file: RegionsFile, geometry: Geometry, on: DrawnOn) -> tuple[Image, tuple[Region, ...]]:
    if file.drawn is None:
        return read_regions(file.path, geometry, on.body)
    placed = _in_frame(file.drawn, on)
    by_number = {one.number: one.drawn for one in placed.regions}
    definitions = []
    for part in file.parts:
        mask = by_number[part.number]
        assert mask is not None
        definitions.append(RegionDefinition(part.name, part.role, part.reference, (mask,)))
    labels, regions = rasterise(definitions, geometry)
    return with_mirrors(labels, regions, on.body)


def _tell_of_sides(regions: tuple[Region, ...]) -> None:
    """Tell of names that say another side than where the regions lie, as those of a mirrored file do."""
    for region in regions:
        named = {"right", "left"} & set(re.findall(r"[a-z]+", region.name.lower()))
        if len(named) == 1 and region.side in ("right", "left") and region.side not in named:
            warnings.warn(
                f"The region '{region.name}' lies on the patient's {region.side}: its file or the images may be "
                "mirrored; check both.",
                AssumptionWarning,
                stacklevel=4,
            )


def _in_frame(drawn: DrawnRegions, on: DrawnOn) -> DrawnRegions:
    """Bring regions into the frame of the image: as drawn on it, or carried there from its CT."""
    own, frame = on.header.frame_of_reference_uid, drawn.frame_of_reference_uid
    if on.ct is not None and on.to_ct is not None and frame == on.ct.frame_of_reference_uid:
        named_ct = on.ct.series_uid in drawn.series_uids and on.header.series_uid not in drawn.series_uids
        if frame != own or named_ct:
            return drawn.moved(np.asarray(np.linalg.inv(on.to_ct), dtype=np.float64))
    if frame == own:
        return drawn
    if own is None:
        warnings.warn(
            "The images record no frame of reference; the regions of the region file are taken as drawn on them.",
            AssumptionWarning,
            stacklevel=3,
        )
        return drawn
    raise InputError(
        "The regions of the region file are drawn in another frame of reference than that of the last images and "
        "their CT; draw them on one of these, or export them with the image that they were drawn on."
    )
