"""NIfTI volumes with a sidecar: ``name.nii.gz`` and beside it ``name.json``, keys in the style of BIDS.

| key | | |
|---|---|---|
| ``Modality`` | needed | ``SPECT`` or ``CT`` |
| ``Units`` | needed | CT: ``HU``; SPECT: ``Bq/mL``, ``kBq/mL``, ``counts/s/mL``, ``counts/s``, ``g/mL`` (SUV), |
| | | ``counts`` (with ``FrameDuration``) or ``arbitrary`` |
| ``TracerRadionuclide`` | SPECT | ``Tc99m`` or ``In111``, with or without a hyphen |
| ``InjectionStart``, ``AcquisitionTime`` | SPECT | local date and time, ``2026-01-06T08:00:00``, without a time zone |
| ``HoursAfterInjection`` | SPECT | instead of the two: from the injection to the start of counting |
| ``TracerName`` | | such as ``HMPAO leukocytes`` |
| ``InjectedRadioactivity`` | | a number, with |
| ``InjectedRadioactivityUnits`` | | ``MBq``, ``GBq``, ``kBq``, ``Bq`` or ``mCi`` |
| ``FrameDuration`` | | seconds that the whole volume counted |
| ``DecayCorrected`` | | true: to the start of the acquisition; false: values are the mean over it |
| ``AttenuationCorrected`` | | true or false |
| ``FrameOfReference`` | | a label; volumes with the same one lie aligned. A DICOM UID joins it to DICOM images |
| ``KVP`` | CT | tube voltage |

Further keys are not looked at. Nothing that is missing is guessed.
"""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from leukospect.data import AcquisitionHeader, CtSeries, DecayReference, Image, Radiopharmaceutical, ReconstructedSeries
from leukospect.errors import AssumptionWarning, InputError
from leukospect.files.nifti import read_nifti
from leukospect.orientation import upright
from leukospect.physics.tracers import tracer_called

NIFTI_SUFFIXES = (".nii.gz", ".nii")

# Unit as written, in lower case: its name here, and the factor that takes values there.
_SPECT_UNITS = {
    "bq/ml": ("Bq/mL", 1.0),
    "kbq/ml": ("Bq/mL", 1e3),
    "counts/s/ml": ("counts/s/mL", 1.0),
    "counts/s": ("counts/s", 1.0),
    "counts": ("counts", 1.0),
    "g/ml": ("g/mL", 1.0),
    "arbitrary": ("arbitrary", 1.0),
}
_NUCLIDES = {"tc99m": "Tc-99m", "99mtc": "Tc-99m", "in111": "In-111", "111in": "In-111"}
_MBQ = {"mbq": 1.0, "gbq": 1e3, "kbq": 1e-3, "bq": 1e-6, "mci": 37.0}
_UID = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
_LARGEST_SIDECAR_BYTES = 1_000_000
_LONGEST_HOURS = 240.0
_LONGEST_FRAME_S = 86_400.0
_LARGEST_DOSE_MBQ = 1e5
_SAME_MOMENT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class SidecarVolume:
    """A volume as its sidecar describes it.

    Parameters
    ----------
    acquisition : ReconstructedSeries or CtSeries
    hours : float or None
        Hours after injection where they are told instead of dates; `acquisition` then has neither a start nor a time
        of injection.
    """

    acquisition: ReconstructedSeries | CtSeries
    hours: float | None = None


def is_nifti(path: Path) -> bool:
    """Tell by its name whether a file is NIfTI."""
    return path.name.lower().endswith(NIFTI_SUFFIXES)


def sidecar_of(path: Path) -> Path | None:
    """Give the sidecar beside a NIfTI file; None where there is none, or only a label image's table of regions."""
    stem = path.name[: -len(next(suffix for suffix in NIFTI_SUFFIXES if path.name.lower().endswith(suffix)))]
    beside = path.with_name(f"{stem}.json")
    return beside if beside.is_file() and not _is_table_of_regions(beside) else None


def _is_table_of_regions(beside: Path) -> bool:
    try:
        document = _parsed(beside, "")
    except InputError:
        return False  # whatever it is, it has to be told
    return "region" in document and "Modality" not in document


def read_with_sidecar(path: Path, called: str) -> SidecarVolume:
    """Read a NIfTI volume and its sidecar.

    Parameters
    ----------
    path : Path
        The NIfTI file.
    called : str
        How errors name it: its name can hold a patient's.

    Returns
    -------
    SidecarVolume
        The voxels are upright; what was assumed is in the header.

    Raises
    ------
    InputError
        There is no sidecar, a key that is needed is missing, or a value cannot be.
    GeometryError
        The file does not say where its voxels lie, or its axes are not at right angles.
    """
    sidecar = sidecar_of(path)
    if sidecar is None:
        raise InputError(
            f"{called} is NIfTI without a sidecar: put a .json of the same name beside it, see the README for its keys."
        )
    keys = _Keys(_parsed(sidecar, called), called)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = upright(read_nifti(path, called))
    assumptions = tuple(str(one.message) for one in caught if issubclass(one.category, AssumptionWarning))
    if not np.all(np.isfinite(image.array)):
        raise InputError(f"{called} holds values that are not finite; mend them first.")
    frame = _frame_uid(keys.text("FrameOfReference"))
    values = np.asarray(image.array, dtype=np.float32)
    image = Image(values, replace(image.geometry, frame_of_reference_uid=frame), image.unit)
    modality = keys.needed_text("Modality").upper()
    sources = (path, sidecar)
    if modality == "CT":
        return SidecarVolume(_ct(image, keys, sources, assumptions))
    if modality == "SPECT":
        return _spect(image, keys, sources, assumptions)
    raise keys.refused("Modality", "must be SPECT or CT")


def _ct(image: Image, keys: _Keys, sources: tuple[Path, ...], assumptions: tuple[str, ...]) -> CtSeries:
    if keys.needed_text("Units").upper() != "HU":
        raise keys.refused("Units", "of a CT must be HU")
    kvp = keys.number("KVP", 20.0, 300.0)
    header = AcquisitionHeader(
        "CT",
        start=keys.moment("AcquisitionTime"),
        frame_of_reference_uid=image.geometry.frame_of_reference_uid,
        sources=sources,
        assumptions=assumptions if kvp else (*assumptions, "KVP is not recorded; the tube voltage is unknown."),
    )
    return CtSeries(replace(image, unit="HU"), header, kvp=kvp, slice_thickness_mm=image.geometry.spacing_mm[0])


def _spect(image: Image, keys: _Keys, sources: tuple[Path, ...], assumptions: tuple[str, ...]) -> SidecarVolume:
    written = keys.needed_text("Units").lower().replace(" ", "")
    if written not in _SPECT_UNITS:
        raise keys.refused("Units", "must be one of Bq/mL, kBq/mL, counts/s/mL, counts/s, counts, g/mL, arbitrary")
    unit, factor = _SPECT_UNITS[written]
    if image.unit.lower() in _SPECT_UNITS and image.unit.lower() != written:
        raise keys.refused("Units", f"contradicts the file itself, which leukospect wrote in {image.unit}")
    duration = keys.number("FrameDuration", 0.0, _LONGEST_FRAME_S)
    if unit == "counts" and duration is None:
        raise keys.lacks("FrameDuration", "in seconds, which values in counts need")
    injected, start, hours = _times(keys)
    decay, corrected = keys.flag("DecayCorrected"), keys.flag("AttenuationCorrected")
    header = AcquisitionHeader(
        "RECON TOMO",
        start=start,
        radiopharmaceutical=Radiopharmaceutical(
            _nuclide(keys),
            keys.text("TracerName"),
            injected,
            _dose_mbq(keys),
            tracer=tracer_called(keys.text("TracerName")),
        ),
        frame_of_reference_uid=image.geometry.frame_of_reference_uid,
        corrections=("DECY",) * bool(decay) + ("ATTN",) * bool(corrected),
        sources=sources,
        assumptions=assumptions,
    )
    reference: DecayReference = "unknown" if decay is None else "start" if decay else "none"
    scaled = Image(np.asarray(image.array, np.float32) * np.float32(factor), image.geometry, unit)
    return SidecarVolume(ReconstructedSeries(scaled, header, duration, duration, corrected, reference), hours)


def _times(keys: _Keys) -> tuple[datetime | None, datetime | None, float | None]:
    """Give injection and start, or else the hours between them."""
    injected, start = keys.moment("InjectionStart"), keys.moment("AcquisitionTime")
    hours = keys.number("HoursAfterInjection", -1e-9, _LONGEST_HOURS)
    if injected is None or start is None:
        if hours is None:
            absent = "InjectionStart" if injected is None else "AcquisitionTime"
            raise keys.lacks(absent, "as local date and time, or HoursAfterInjection in its place")
        return None, None, hours
    between = start - injected
    if not timedelta(0) <= between <= timedelta(hours=_LONGEST_HOURS):
        raise keys.refused("AcquisitionTime", "must follow InjectionStart, by ten days at most")
    if hours is not None and abs(between - timedelta(hours=hours)) > _SAME_MOMENT:
        raise keys.refused("HoursAfterInjection", "contradicts InjectionStart and AcquisitionTime")
    return injected, start, None


def _nuclide(keys: _Keys) -> str:
    written = re.sub(r"[^a-z0-9]", "", keys.needed_text("TracerRadionuclide").lower())
    if written not in _NUCLIDES:
        raise keys.refused("TracerRadionuclide", "must be Tc99m or In111")
    return _NUCLIDES[written]


def _dose_mbq(keys: _Keys) -> float | None:
    dose, unit = keys.number("InjectedRadioactivity", 0.0, 1e15), keys.text("InjectedRadioactivityUnits").lower()
    if dose is None:
        return None
    if not unit:
        raise keys.lacks("InjectedRadioactivityUnits", "which InjectedRadioactivity needs")
    if unit not in _MBQ or not dose * _MBQ[unit] <= _LARGEST_DOSE_MBQ:
        raise keys.refused(
            "InjectedRadioactivityUnits", "must be MBq, GBq, kBq, Bq or mCi, and the dose a possible one"
        )
    return dose * _MBQ[unit]


def _frame_uid(label: str) -> str | None:
    """Make a UID of a label, the same for the same label; a UID stays as it is."""
    if not label:
        return None
    if _UID.fullmatch(label) and len(label) <= 64:
        return label
    return f"2.25.{int.from_bytes(hashlib.sha256(label.encode()).digest()[:16], 'big')}"


def _parsed(sidecar: Path, called: str) -> Mapping[str, Any]:
    if sidecar.stat().st_size > _LARGEST_SIDECAR_BYTES:
        raise InputError(f"The sidecar of {_within(called)} is far too large; it holds a few keys.")
    try:
        document = json.loads(sidecar.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError):
        raise InputError(f"The sidecar of {_within(called)} is not valid JSON; mend it.") from None
    if not isinstance(document, dict):
        raise InputError(f"The sidecar of {_within(called)} is not a JSON object of keys and values.")
    return document


def _within(called: str) -> str:
    return called[:1].lower() + called[1:]


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a sidecar, each checked when it is asked for; null counts as missing."""

    document: Mapping[str, Any]
    called: str

    def lacks(self, key: str, what: str) -> InputError:
        return InputError(f"The sidecar of {_within(self.called)} lacks {key}; give it, {what}.")

    def refused(self, key: str, why: str) -> InputError:
        return InputError(f"{key} in the sidecar of {_within(self.called)} {why}.")

    def text(self, key: str) -> str:
        value = self.document.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self.refused(key, "must be a text")
        return value.strip()

    def needed_text(self, key: str) -> str:
        value = self.text(key)
        if not value:
            raise self.lacks(key, "as the README tells")
        return value

    def number(self, key: str, above: float, most: float) -> float | None:
        value = self.document.get(key)
        if isinstance(value, list) and len(value) == 1:  # BIDS lists one for each frame
            value = value[0]
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value <= most:
            raise self.refused(key, f"must be a number from {max(above, 0.0):g} to {most:g}")
        return float(value)

    def flag(self, key: str) -> bool | None:
        value = self.document.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.refused(key, "must be true or false")
        return value

    def moment(self, key: str) -> datetime | None:
        written = self.text(key)
        if not written:
            return None
        try:
            found = datetime.fromisoformat(written)
        except ValueError:
            found = None
        if found is None or len(written) <= len("2026-01-06") or found.tzinfo is not None:
            raise self.refused(key, "must be a local date and time as 2026-01-06T08:00:00, without a time zone")
        return found
