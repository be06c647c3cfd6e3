"""How the times of a study lie to each other: CT to CT for each limb, else SPECT to SPECT; planar to planar."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from leukospect.data import Image, PlanarImages
from leukospect.errors import AssumptionWarning
from leukospect.protocol import Protocol
from leukospect.registration import register_rigid, resample
from leukospect.registration.by_part import nearest_part, resample_by_part
from leukospect.registration.limbs import LimbAlignment, register_limbs
from leukospect.registration.planar import COLUMN_SIGN, register_planar
from leukospect.study_result import SpectResult

Carry = Callable[[Image], Image]
"""Carries labels from the grid of the late SPECT to that of an earlier one."""

_PLANAR_MM = 2.0
"""What two searches that agree leave in planar views: about half a pixel."""
_PART_WORDS = {"right": "right femur", "left": "left femur", "trunk": "trunk", "whole": "all bone"}


@dataclass(frozen=True, slots=True, eq=False)
class TimeAlignment:
    """What was found about how one time lies to another.

    Parameters
    ----------
    name : str
        As the report heads it.
    note : str
        What was done and why, in words.
    values : mapping
        The same as plain values, for results.json: transforms, quality and reasons.
    expected_error_mm : float
        By which regions carried to the other time are expected to lie off; NaN where nobody can tell.
    time_point : str
        The other time.
    """

    name: str
    note: str
    values: Mapping[str, object] = field(default_factory=dict)
    expected_error_mm: float = float("nan")
    time_point: str = ""


def carry_to_earlier(
    labels: Image, late: SpectResult, earlier: SpectResult, protocol: Protocol, *, called: str = ""
) -> tuple[Image, TimeAlignment]:
    """Carry regions from the grid of the late SPECT to that of an earlier one.

    As `alignment_to_earlier` finds it.
    """
    carry, alignment = alignment_to_earlier(late, earlier, protocol, called=called)
    return carry(labels), alignment


def alignment_to_earlier(
    late: SpectResult, earlier: SpectResult, protocol: Protocol, *, called: str = ""
) -> tuple[Carry, TimeAlignment]:
    """Find how an earlier SPECT lies to the late one, and give what carries labels to its grid.

    Where both times have a CT, a voxel of the earlier SPECT goes to its CT, from there with the nearest bone to the
    late CT, and on to the late SPECT; else SPECT is registered to SPECT as a whole. `called` names what is no earlier
    time, as a marrow scan.
    """
    to = called or earlier.time_point
    name = f"alignment {late.time_point} to {to}"
    times = {"images": "SPECT", "from": late.time_point, "to": to}
    onto, refused = earlier.recon.geometry, ""
    if protocol.registration.enabled and late.ct is not None and earlier.ct is not None:
        found = _limbs_of(late, earlier, protocol)
        note = _say_limbs(found)
        if any(part.accepted or part.aligned for part in found.parts):
            _warn_of_refused(found, name)
            matrices = spect_through_limbs(found, late.spect_to_ct, earlier.spect_to_ct)
            which = nearest_part(found, onto, earlier.spect_to_ct)

            def by_part(labels: Image) -> Image:
                return resample_by_part(labels, onto, which, matrices, interpolation="nearest")

            expected = _expected_mm(found, late, earlier)
            values = {**times, "method": "CT to CT, each limb", "reason": note, "parts": _parts_as_values(found)}
            return by_part, TimeAlignment(name, note, {**values, "expected_error_mm": expected}, expected)
        refused = f"{note} So the times were registered as a whole. "
    matrix, method, note = _as_a_whole(late, earlier, protocol)
    earlier_to_late: NDArray[np.float64] = np.linalg.inv(matrix).astype(np.float64)

    def as_a_whole(labels: Image) -> Image:
        return resample(labels, onto, fixed_to_moving=earlier_to_late, interpolation="nearest")

    values = {**times, "method": method, "reason": refused + note, "matrix": matrix.tolist()}
    return as_a_whole, TimeAlignment(name, refused + note, values)


def _expected_mm(found: LimbAlignment, late: SpectResult, earlier: SpectResult) -> float:
    """Add up the errors on the way from SPECT to CT, to the other CT and to its SPECT; of the limbs the largest."""
    if any(not (part.accepted or part.aligned) for part in found.parts):
        return float("nan")
    bones = max(np.hypot(part.uncertainty_mm, part.doubt_mm) for part in found.parts)
    to_ct = [float("nan") if one.registration is None else one.registration.misalignment_mm for one in (late, earlier)]
    return float(np.linalg.norm([bones, *to_ct]))


def spect_through_limbs(
    found: LimbAlignment, late_spect_to_ct: NDArray[np.float64], earlier_spect_to_ct: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Compose, for each part, earlier SPECT to earlier CT to late CT to late SPECT; (4, 4) each, LPS mm."""
    back = np.linalg.inv(late_spect_to_ct)
    return [np.asarray(back @ np.linalg.inv(part.matrix) @ earlier_spect_to_ct) for part in found.parts]


def _limbs_of(late: SpectResult, earlier: SpectResult, protocol: Protocol) -> LimbAlignment:
    late_ct, earlier_ct = late.corrected_ct, earlier.corrected_ct
    assert late_ct is not None
    assert earlier_ct is not None
    return register_limbs(
        late_ct,
        earlier_ct,
        late_metal=None if late.reduction is None else late.reduction.metal,
        late_scanned=None if late.reduction is None or late.ct is None else late.ct.image,
        early_scanned=None if earlier.reduction is None or earlier.ct is None else earlier.ct.image,
        maximum_shift_mm=protocol.registration.between_times_maximum_shift_mm,
        maximum_rotation_deg=protocol.registration.between_times_maximum_rotation_deg,
    )


def _say_limbs(found: LimbAlignment) -> str:
    each = "; ".join(f"{_PART_WORDS[part.part]}: {_lowered(part.reason)}" for part in found.parts)
    return f"CT to CT by the bones. {each[:1].upper()}{each[1:]}."


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _warn_of_refused(found: LimbAlignment, name: str) -> None:
    refused = [_PART_WORDS[part.part] for part in found.parts if not (part.accepted or part.aligned)]
    if refused:
        warnings.warn(
            f"The {name} left the {' and the '.join(refused)} as they lie in the scanner; regions there may be off.",
            AssumptionWarning,
            stacklevel=3,
        )


def _parts_as_values(found: LimbAlignment) -> list[dict[str, object]]:
    """Each part's transform, from late CT to earlier CT in LPS mm, and how good it is."""
    return [{**asdict(part), "matrix": part.matrix.tolist()} for part in found.parts]


def _as_a_whole(late: SpectResult, earlier: SpectResult, protocol: Protocol) -> tuple[NDArray[np.float64], str, str]:
    """Find where the earlier acquisition has the places of the late one: from the CTs' maps, else the SPECT."""
    if not protocol.registration.enabled:
        return np.eye(4), "none", "The times were taken as lying alike; no registration was asked for."
    if late.anatomy is not None and earlier.anatomy is not None:
        fixed, moving, method = _as_hu(late.anatomy), _as_hu(earlier.anatomy), "map to map"
    elif late.recon_nac is not None and earlier.recon_nac is not None:
        fixed, moving, method = late.recon_nac, earlier.recon_nac, "SPECT to SPECT"
    else:
        fixed, moving, method = late.recon, earlier.recon, "SPECT to SPECT"
    found = register_rigid(
        fixed,
        moving,
        maximum_shift_mm=protocol.registration.maximum_shift_mm,
        maximum_rotation_deg=protocol.registration.maximum_rotation_deg,
    )
    return found.matrix, method, found.reason


def _as_hu(mu: Image) -> Image:
    """Scale an attenuation map to CT numbers, so that it registers as a CT does."""
    water = 0.15
    return Image((np.asarray(mu.array, np.float32) / water - 1.0) * 1000.0, mu.geometry, "HU")


def align_planar(
    late: tuple[PlanarImages, str, int], earlier: tuple[PlanarImages, str, int], protocol: Protocol
) -> tuple[NDArray[np.float64] | None, TimeAlignment | None]:
    """Find where the earlier planar views have the places of the late ones.

    Parameters
    ----------
    late, earlier : (PlanarImages, name of the time, index of the energy window)
    protocol : Protocol

    Returns
    -------
    matrix : (3, 3) array or None
        Takes (x, z, 1) of the earlier views to the late ones', LPS mm; None where nothing is to be moved.
    alignment : TimeAlignment or None
        None where there was nothing to register: the same time, or no view in common.
    """
    (fixed, late_name, fixed_window), (moving, name, moving_window) = late, earlier
    common = set(fixed.view_names) & set(moving.view_names) & set(COLUMN_SIGN)
    if late_name == name or not common or not protocol.registration.enabled:
        return None, None
    found = register_planar(
        fixed,
        moving,
        fixed_window=fixed_window,
        moving_window=moving_window,
        maximum_shift_mm=protocol.registration.between_times_maximum_shift_mm,
        maximum_rotation_deg=protocol.registration.between_times_maximum_rotation_deg,
    )
    if found.mirrored:
        warnings.warn(
            f"The planar views of one of the times {late_name} and {name} seem to have been stored mirrored, from left "
            "to right or front to back: no side that is told of them may be right, so check both.",
            AssumptionWarning,
            stacklevel=2,
        )
    values: dict[str, object] = {
        "images": "planar",
        "from": late_name,
        "to": name,
        "method": "planar to planar in the frontal plane",
    }
    values |= {**asdict(found), "matrix": found.matrix.tolist()}
    how = " Regions were moved, not counts: nothing was interpolated." if found.accepted else ""
    expected = found.disagreement_mm if found.accepted or found.aligned else float("nan")
    expected = float(np.hypot(expected, _PLANAR_MM))
    values["expected_error_mm"] = expected
    alignment = TimeAlignment(
        f"alignment of planar views {late_name} to {name}", f"{found.reason}.{how}", values, expected, name
    )
    return (np.asarray(np.linalg.inv(found.matrix), np.float64) if found.accepted else None), alignment
