"""Raw acquisitions of digital phantoms as DICOM: NM TOMO, NM STATIC and CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from leukospect.data import CtSeries, PlanarImages, Projections
from leukospect.dicom.read.orientation import column_direction, outward_direction
from leukospect.dicom.write.ct_slices import Scale, ct_slice_pixels, write_slices
from leukospect.dicom.write.elements import SNOMED, coded, decimal, decimals, patient_orientation_items
from leukospect.dicom.write.identity import PhantomIdentity, begin_acquisition
from leukospect.dicom.write.instances import array_digest, content_digest, named_uid, save_instance
from leukospect.dicom.write.nuclear import add_frame_vectors, add_nuclear_medicine, detector_item
from leukospect.dicom.write.pixels import add_frames, quantise
from leukospect.dicom.write.rotation import (
    Rotation,
    centre_offsets_mm,
    radii_mm,
    recover_rotation,
    rotation_item,
)
from leukospect.errors import InputError, MissingInformationError

__all__ = ["PhantomIdentity", "write_ct", "write_planar", "write_projections"]

_DOWN = (0.0, 0.0, -1.0)
# View name: the detector's angle and its code in PS3.16 CID 26.
_VIEWS = {
    "anterior": (180.0, "399321004", "Anterior projection"),
    "posterior": (0.0, "399001007", "Posterior projection"),
    "left lateral": (90.0, "399118008", "Left lateral projection"),
    "right lateral": (270.0, "399297009", "Right lateral projection"),
}


def write_projections(projections: Projections, path: Path, identity: PhantomIdentity, *, heads: int = 1) -> None:
    """Write a SPECT acquisition as one NM TOMO file of all windows, heads and views.

    Frames run by energy window, then head, then view. Every head carries its own start angle, radii and the place of
    its start view (PS3.3 C.8.4.11). Counts that are not whole numbers below 65536 are stored on a
    scale (Rescale Slope).

    Parameters
    ----------
    projections : Projections
        Views grouped head by head in `heads` equal blocks, each an equally spaced arc; all heads count together.
    path : Path
    identity : PhantomIdentity
    heads : int

    Raises
    ------
    GeometryError
        The views do not divide into such arcs.
    InputError
        Views differ in duration or pause between each other; a nuclide or patient position has no code.
    MissingInformationError
        The start time or the radii are not known.
    """
    rotation = recover_rotation(projections, heads)
    ds = begin_acquisition(identity, projections.header, "NM")
    add_nuclear_medicine(ds, projections.header, projections.energy_windows)
    windows, views = projections.counts.shape[0], rotation.views
    window, head, view = np.indices((windows, heads, views)).reshape(3, -1) + 1
    vectors = {
        "EnergyWindowVector": window,
        "DetectorVector": head,
        "RotationVector": np.ones_like(view),
        "AngularViewVector": view,
    }
    add_frame_vectors(ds, vectors)
    ds.NumberOfDetectors = heads
    ds.DetectorInformationSequence = Sequence(_tomo_heads(projections, rotation))
    ds.NumberOfRotations = 1
    ds.RotationInformationSequence = Sequence([rotation_item(rotation)])
    ds.TypeOfDetectorMotion = "STEP AND SHOOT"
    _add_counts(ds, projections.counts, projections.pixel_mm)
    save_instance(ds, path)


def _tomo_heads(projections: Projections, rotation: Rotation) -> list[Dataset]:
    if rotation.radii_mm is None:
        raise MissingInformationError("The place of the heads follows from the orbit's radii; set orbit.radii_mm.")
    offsets = centre_offsets_mm(projections, rotation.start_angles_deg.size)
    items = []
    for angle, radii, offset in zip(rotation.start_angles_deg, rotation.radii_mm, offsets, strict=True):
        item = detector_item(projections.header.collimator)
        item.StartAngle = decimal(angle)
        item.RadialPosition = radii_mm(radii)
        if offset:
            item.CenterOfRotationOffset = decimal(offset)
        u = column_direction(float(angle))
        half_width = (projections.counts.shape[3] - 1) / 2 * projections.pixel_mm[1]
        axis = np.array([*projections.axis_mm, projections.first_row_z_mm])
        place = axis + radii[0] * outward_direction(float(angle)) - half_width * u
        item.ImagePositionPatient = decimals(place)
        item.ImageOrientationPatient = decimals([*u, *_DOWN])
        items.append(item)
    return items


def write_planar(planar: PlanarImages, path: Path, identity: PhantomIdentity) -> None:
    """Write planar views as one NM STATIC file, a detector for each view.

    Parameters
    ----------
    planar : PlanarImages
        Of kind STATIC; views named ``anterior``, ``posterior``, ``left lateral`` or ``right lateral``, all of one
        duration.
    path : Path
    identity : PhantomIdentity

    Raises
    ------
    InputError
        A view has another name, or views differ in duration, which one NM STATIC file cannot say.
    MissingInformationError
        The start time is not known.
    """
    unknown = [name for name in planar.view_names if name not in _VIEWS]
    if unknown:
        raise InputError(f"No code is known for the planar view '{unknown[0]}'; known are {', '.join(_VIEWS)}.")
    if np.ptp(planar.view_duration_s) > 1e-3:
        raise InputError("The planar views count for different times; write each into a file of its own.")
    ds = begin_acquisition(identity, planar.header, "NM")
    add_nuclear_medicine(ds, planar.header, planar.energy_windows)
    windows, views = planar.counts.shape[:2]
    window, view = np.indices((windows, views)).reshape(2, -1) + 1
    add_frame_vectors(ds, {"EnergyWindowVector": window, "DetectorVector": view})
    ds.NumberOfDetectors = views
    places = [None] * views if planar.first_pixel_mm is None else list(planar.first_pixel_mm)
    ds.DetectorInformationSequence = Sequence(
        _planar_head(name, place, planar.header.collimator)
        for name, place in zip(planar.view_names, places, strict=True)
    )
    ds.ActualFrameDuration = round(float(planar.view_duration_s[0]) * 1000.0)
    ds.ImageID = (planar.view_names[0] if views == 1 else "planar views")[:16]
    _add_counts(ds, planar.counts, planar.pixel_mm)
    save_instance(ds, path)


def _planar_head(name: str, place: NDArray[np.float64] | None, collimator: str) -> Dataset:
    angle, value, meaning = _VIEWS[name]
    item = detector_item(collimator)
    item.StartAngle = decimal(angle)
    item.ImagePositionPatient = None if place is None else decimals(place)
    item.ImageOrientationPatient = decimals([*column_direction(angle), *_DOWN])
    item.ViewCodeSequence = Sequence([coded(value, SNOMED, meaning)])
    return item


def _add_counts(ds: Dataset, counts: NDArray[np.float32], pixel_mm: tuple[float, float]) -> None:
    stored, rescale = quantise(counts, "counts")
    ds.CountsAccumulated = min(round(float(counts.sum(dtype=np.float64))), 2**31 - 1)
    if rescale.slope != 1.0 or rescale.intercept != 0.0:
        ds.RescaleIntercept, ds.RescaleSlope = decimal(rescale.intercept), decimal(rescale.slope)
    add_frames(ds, stored.reshape(-1, *counts.shape[2:]), pixel_mm)


def write_ct(series: CtSeries, folder: Path, identity: PhantomIdentity, *, signed: bool = True) -> None:
    """Write a CT as DICOM, a file for each slice: ``0001.dcm`` and so on, in the order of the image's slices.

    HU are rounded to whole numbers and stored as 16-bit integers with Rescale Intercept -1024. What lies below -1024 HU
    is stored as -1024 in unsigned pixels, as scanners do.

    Parameters
    ----------
    series : CtSeries
    folder : Path
        New or empty; it appears whole or not at all.
    identity : PhantomIdentity
    signed : bool
        Pixel Representation.

    Raises
    ------
    InputError
        The folder holds files, or a value is beyond what 16 bits hold.
    MissingInformationError
        The start time is not known.
    """
    template = begin_acquisition(identity, series.header, "CT")
    template.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    template.KVP = None if series.kvp is None else decimal(series.kvp)
    if series.kernel:
        template.ConvolutionKernel = series.kernel[:16]
    template.AcquisitionNumber = 1
    patient_orientation_items(series.header.patient_position)  # refuses a position that is none
    template.PatientPosition = series.header.patient_position
    thickness = series.slice_thickness_mm or series.image.geometry.spacing_mm[0]
    scale = Scale(signed)
    stored = ct_slice_pixels(series.image, scale)
    if "SeriesInstanceUID" not in template:
        where = array_digest(series.image.geometry.affine)
        template.SeriesInstanceUID = named_uid("ct series", content_digest(template), array_digest(stored), where)
    write_slices(template, stored, series.image.geometry, folder, thickness_mm=thickness, scale=scale)
