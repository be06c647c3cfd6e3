"""Interfile 3.3 SPECT projections, as STIR (``.hs``) and SIMIND (``.h00``) write them.

Keys are compared without case, spaces and the leading ``!``. Source: AAPM Report 39 (Interfile 3.3), and STIR's and
SIMIND's own headers, which add to it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leukospect.data import (
    LIMITS_NOT_RECORDED_KEV,
    AcquisitionHeader,
    EnergyWindow,
    Orbit,
    Projections,
    Radiopharmaceutical,
)
from leukospect.errors import AssumptionWarning, GeometryError, InputError
from leukospect.files.interfile_header import InterfileHeader, read_header

_NUCLIDES = {"tc99m": "Tc-99m", "99mtc": "Tc-99m", "in111": "In-111", "111in": "In-111"}
_POSITIONS = {"head": "HF", "feet": "FF", "supine": "S", "prone": "P"}
_FARTHEST_MM = 1000.0
_LONGEST_VIEW_S = 86400.0
_BLOCK_BYTES = 2048  # unit of `data starting block`


def patient_angles(start_deg: float, extent_deg: float, views: int, direction: str) -> NDArray[np.float64]:
    """Turn Interfile's start angle and direction into the angles of the views: the one place of this reading.

    Interfile does not define them as DICOM does: its zero lies half a turn away, and from which side the direction is
    seen is not said (UCL/STIR discussion 1180). Taken here: the patient's angle is Interfile's plus 180 degrees, and
    ``CCW`` is seen from the feet, as in DICOM, with columns as seen from behind the detector. Projections alone cannot
    prove the start angle (a turned body gives the same views); a wrong direction shows, since attenuation and blur then
    grow on the wrong side. Direction and columns wrong together would mirror the patient, which only a mark can show.

    Parameters
    ----------
    start_deg, extent_deg : float
        As in the header.
    views : int
    direction : ``CCW`` (or ``CC``) or ``CW``

    Returns
    -------
    (views,) array
        Degrees, 0 with the detector at the back, growing towards the patient's left.

    Raises
    ------
    GeometryError
        The direction is neither.
    """
    return _evenly_spaced(start_deg + 180.0, extent_deg, views, direction)


def _evenly_spaced(first_deg: float, extent_deg: float, views: int, direction: str) -> NDArray[np.float64]:
    index = np.arange(views, dtype=np.float64)
    return (first_deg + _sign(direction) * extent_deg / views * index) % 360.0


def _sign(direction: str) -> int:
    try:
        return {"CC": 1, "CCW": 1, "CW": -1}[direction.upper()]
    except KeyError:
        raise GeometryError(
            "The Interfile header's 'direction of rotation' is neither CW nor CCW; tell it with --direction cw or cc."
        ) from None


def read_interfile(
    path: Path,
    *,
    start_angle_deg: float | None = None,
    direction: str | None = None,
    radius_mm: float | None = None,
) -> Projections:
    """Read SPECT projections from an Interfile header and the data file it names.

    Parameters
    ----------
    path : Path
        The header.
    start_angle_deg : float or None
        The patient's angle of the first view (0 at the back, 90 at the left), in place of the header's.
    direction : ``cc``, ``cw`` or None
        The patient's direction seen from the feet, in place of the header's.
    radius_mm : float or None
        Radius of rotation, in place of the header's.

    Returns
    -------
    Projections
        Rows as stored, taken as running from head to feet, their middle at z = 0; the axis of rotation at x = y = 0.

    Raises
    ------
    InputError
        The file is not an Interfile header of raw SPECT projections, or the data do not fit it.
    GeometryError
        Sizes, arc or direction are missing or impossible.

    Warns
    -----
    AssumptionWarning
        What the header does not say; the same sentences are in the returned header.
    """
    header = read_header(path)
    assumptions: list[str] = []
    _refuse_other_kinds(header)
    views = header.whole("number of projections")
    columns, rows = header.whole("matrix size [1]"), header.whole("matrix size [2]")
    windows = _windows(header, assumptions)
    layout = _Layout.of(header, assumptions)
    counts = layout.read(path, header, (len(windows), views, rows, columns))
    pixel_mm = (header.positive("scaling factor (mm/pixel) [2]"), header.positive("scaling factor (mm/pixel) [1]"))
    orbit = Orbit(
        _angles(header, views, start_angle_deg, direction, assumptions), _radii(header, views, radius_mm, assumptions)
    )
    recorded = _view_duration_s(header, views, assumptions)
    duration = 1.0 if recorded is None else recorded
    assumptions.append("Interfile places nothing: the axis is taken at x = y = 0, the middle of the rows at z = 0.")
    assumptions.append("Interfile does not say which way rows run; the first is taken as the one nearest the head.")
    position = _patient_position(header)
    if position not in ("", "HFS"):
        assumptions.append(
            f"The patient lies {position}; Interfile does not say whose angles and rows are recorded, so they are "
            "taken as the patient's, head up; --start-angle-deg and --direction replace the angles."
        )
    projections = Projections(
        counts=counts,
        energy_windows=windows,
        orbit=orbit,
        pixel_mm=pixel_mm,
        axis_mm=(0.0, 0.0),
        first_row_z_mm=(rows - 1) / 2 * pixel_mm[0],
        view_start_s=duration * np.arange(views, dtype=np.float64),
        view_duration_s=np.full(views, duration),
        duration_recorded=recorded is not None,
        header=AcquisitionHeader(
            kind="TOMO",
            radiopharmaceutical=_radiopharmaceutical(header),
            collimator=header.text("collimator"),
            model=header.text("originating system"),
            patient_position=position,
            sources=(path,),
            assumptions=tuple(assumptions),
        ),
    )
    for sentence in assumptions:
        warnings.warn(sentence, AssumptionWarning, stacklevel=2)
    return projections


def _refuse_other_kinds(header: InterfileHeader) -> None:
    kind = header.text("type of data").lower()
    if not kind.startswith("tomo"):
        raise InputError(
            "The Interfile header is not of tomographic data ('type of data'); SPECT projections are needed."
        )
    if header.text("process status").lower() == "reconstructed":
        raise InputError("The Interfile header is of reconstructed slices; raw SPECT projections are needed.")
    if header.text("number of detector heads") not in ("", "1"):
        raise InputError("Interfile headers of several detector heads are not read; give one file a head or DICOM.")
    if header.text("data compression").lower() not in ("", "none") or header.text("data encode").lower() not in (
        "",
        "none",
    ):
        raise InputError("Compressed or encoded Interfile data are not read.")


@dataclass(frozen=True, slots=True)
class _Layout:
    """How the numbers lie in the data file."""

    dtype: np.dtype[np.generic]
    offset: int

    @classmethod
    def of(cls, header: InterfileHeader, assumptions: list[str]) -> _Layout:
        size = header.whole("number of bytes per pixel")
        word = header.text("number format").lower()
        kinds = {"float": "f", "short float": "f", "long float": "f", "unsigned integer": "u", "signed integer": "i"}
        if word not in kinds or size not in ((4, 8) if kinds[word] == "f" else (1, 2, 4)):
            raise InputError(
                "The Interfile header's 'number format' with its 'number of bytes per pixel' is not one that is read "
                "(float of 4 or 8, signed or unsigned integer of 1, 2 or 4 bytes)."
            )
        order = header.text("imagedata byte order").lower().replace(" ", "")
        if order not in ("", "littleendian", "bigendian"):
            raise InputError("The Interfile header's 'imagedata byte order' is neither LITTLEENDIAN nor BIGENDIAN.")
        if not order and size > 1:
            assumptions.append("The byte order is not told; it is taken as big-endian, Interfile's default.")
        offset = header.number("data offset in bytes")
        block = header.number("data starting block")
        start = int(offset if offset is not None else (block or 0) * _BLOCK_BYTES)
        return cls(np.dtype(("<" if order == "littleendian" else ">") + kinds[word] + str(size)), start)

    def read(self, path: Path, header: InterfileHeader, shape: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """Read the data file as (windows, views, rows, columns)."""
        data = _data_file(path, header.text("name of data file"))
        expected, found = int(np.prod(shape)) * self.dtype.itemsize + self.offset, data.stat().st_size
        if found != expected:
            raise InputError(
                f"The Interfile data file has {found} bytes where {expected} are expected "
                f"({' x '.join(map(str, shape))} values of {self.dtype.itemsize} bytes after {self.offset})."
            )
        values = np.fromfile(data, dtype=self.dtype, offset=self.offset).reshape(shape).astype(np.float32)
        if not np.all(np.isfinite(values)) or values.min() < 0:
            raise InputError(
                "The Interfile data hold negative or non-finite counts; check number format and byte order."
            )
        return values


def _data_file(path: Path, name: str) -> Path:
    """Find the data file, which must lie in the header's folder or below it."""
    if not name:
        raise InputError("The Interfile header does not name its data file ('name of data file').")
    folder = path.resolve().parent
    data = (folder / name.replace("\\", "/")).resolve()
    if not data.is_relative_to(folder):
        raise InputError("The Interfile header names a data file outside its own folder; put it beside the header.")
    if not data.is_file():
        raise InputError("The data file that the Interfile header names is not beside it.")
    return data


def _windows(header: InterfileHeader, assumptions: list[str]) -> tuple[EnergyWindow, ...]:
    number_of_windows = int(header.number("number of energy windows") or 1)
    windows = []
    for index in range(number_of_windows):
        lower = header.indexed("energy window lower level", index)
        upper = header.indexed("energy window upper level", index)
        if lower is None or upper is None:
            assumptions.append(f"The limits of energy window {index + 1} are not recorded.")
            windows.append(EnergyWindow(LIMITS_NOT_RECORDED_KEV, "not recorded"))
        else:
            windows.append(EnergyWindow(((lower, upper),), f"window {index + 1}"))
    return tuple(windows)


def _angles(
    header: InterfileHeader, views: int, start_deg: float | None, direction: str | None, assumptions: list[str]
) -> NDArray[np.float64]:
    extent = header.positive("extent of rotation")
    turn = direction if direction is not None else header.text("direction of rotation")
    recorded = header.number("start angle")
    if recorded is None and start_deg is None:
        assumptions.append("The start angle is not recorded; it is taken as Interfile's 0.")
    if start_deg is not None:
        assumptions.append(f"The start angle is taken as told, {start_deg:g} degrees of the patient.")
        return _evenly_spaced(start_deg, extent, views, turn)
    angles = patient_angles(recorded or 0.0, extent, views, turn)
    assumptions.append(
        f"Interfile does not define its angles; start {recorded or 0.0:g}, {turn.upper()} is taken as {angles[0]:g} "
        f"degrees of the patient (0 at the back, 90 at the left), {'growing' if _sign(turn) > 0 else 'falling'}."
    )
    return angles


def _radii(
    header: InterfileHeader, views: int, told_mm: float | None, assumptions: list[str]
) -> NDArray[np.float64] | None:
    """Give the radius of each view: mm as STIR has it, cm where SIMIND wrote the header."""
    if told_mm is not None:
        return _plausible(np.full(views, told_mm))
    radii = np.array(header.numbers("radius") or header.numbers("radii"))
    if radii.size == 0:
        assumptions.append("The radius of rotation is not recorded, so the distance to the collimator is unknown.")
        return None
    if radii.size not in (1, views) or radii.min() <= 0:
        raise GeometryError(
            f"The Interfile header has {radii.size} radii, not all positive or not one for {views} views."
        )
    simind = header.written_by("simind")
    assumptions.append(
        f"The radius has no unit; it is taken as {'cm, as SIMIND' if simind else 'mm, as STIR'} writes it."
    )
    return _plausible(np.broadcast_to(radii * (10.0 if simind else 1.0), (views,)).copy())


def _plausible(radii_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    if radii_mm.max() > _FARTHEST_MM:
        raise GeometryError(
            f"The Interfile's radius of {radii_mm.max():g} mm cannot be the distance to a head; "
            "correct it in the header."
        )
    return radii_mm


def _view_duration_s(header: InterfileHeader, views: int, assumptions: list[str]) -> float | None:
    """Give how long a view counted: time per projection, else the duration of an image or of the study, or None."""
    each = header.number("time per projection (sec)")
    if each and each > _LONGEST_VIEW_S:
        raise InputError(f"The Interfile's time per projection of {each:g} s is longer than a day; correct the header.")
    if each:
        return each
    image, study = header.indexed("image duration (sec)", 0), header.number("study duration (sec)")
    if image and header.text("number of time frames"):
        assumptions.append(f"The image duration of {image:g} s is taken as that of the time frame with all its views.")
        return image / views
    if image:
        assumptions.append(f"The image duration of {image:g} s is taken as that of one view.")
        return image
    if study:
        assumptions.append(f"The study's duration of {study:g} s is divided by its {views} views.")
        return study / views
    assumptions.append("No duration is recorded; 1 s a view is taken, so rates are counts per view and not per second.")
    return None


def _radiopharmaceutical(header: InterfileHeader) -> Radiopharmaceutical | None:
    word = (header.text("isotope name") or header.text("isotope name [1]")).lower().replace("-", "").replace("^", "")
    nuclide = _NUCLIDES.get(word.replace(" ", ""))
    return Radiopharmaceutical(nuclide) if nuclide else None


def _patient_position(header: InterfileHeader) -> str:
    first = next((code for word, code in _POSITIONS.items() if word in header.text("patient orientation").lower()), "")
    second = next((code for word, code in _POSITIONS.items() if word in header.text("patient rotation").lower()), "")
    return first + second if first and second else ""
