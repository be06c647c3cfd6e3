"""Physiological uptake told from lesions: only where place, symmetry, tissue and course in time agree."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.data import Image
from leukospect.quantification.ct_tissues import Surfaces
from leukospect.quantification.marrow_odds import lesion_log_odds
from leukospect.quantification.measurements import Region
from leukospect.quantification.physiological_signs import Growth, Signs, signs_of

GREW, GREW_AT_METAL = 1.5, 1.2
"""A lesion-like course: uptake, decay-corrected, surely more than so many times that of the earliest time."""

STANDS_OUT_MORE = 1.08
"""The same of its contrast to what is round it; uptakes of normal tissues change by some percent against each other."""

FADED = 0.75
"""Marrow keeps its contrast to what is round it: what has less than this part of it left was a lesion that faded."""

_FELL = 0.8
_AWAY_FROM_METAL_MM = 20.0
_ALIKE_IN_BONE, _ALIKE = 0.7, (0.7, 1.43)
_MARROW_LEVEL, _AS_MARROW = 6.0, -2.3
_MOSTLY = 0.5
_CLOSE_TO_METAL_MM = 10.0
_BLADDER_OFF_MM, _BLADDER_ABOVE_LEGS_MM, _BELOW_SKIN = 25.0, (-10.0, 120.0), 0.15
_ORGAN_ML, _HOT_ORGAN, _HOT_PIECE, _ABOVE_LEGS_MM = 80.0, 4.0, 5.5, 200.0
_ORGAN_OFF_MM, _LARGER_THAN_LESIONS_ML = 25.0, 100.0
_KIDNEY_OFF_MM, _KIDNEY_ML, _KIDNEY_DEPTH, _KIDNEY_LEVEL = (35.0, 100.0), 2.0, 0.55, 8.0
_BEHIND, _FRONT = 0.5, 0.65
_BESIDE_GAS_MM, _NEAR_GAS_MM, _LATE_BOWEL = 15.0, 40.0, 1.3
_VESSEL_ML, _SMALL_VESSEL_ML, _HEART_ML, _VESSEL_FELL, _VESSEL_STANDS_OUT = 15.0, 8.0, 70.0, 0.9, 1.05
_BOWEL_ML, _FAR_MM, _SAME_LEVEL, _SAME_COURSE = 2.0, 40.0, 1.6, 1.25
_SURELY, _LIKELY = 1.64, 0.5
_WHOLE_OPPOSITE, _HALF, _ONE_SIDED = 1.2, 0.5, 0.3
_KIDNEYS_ALIKE = (0.4, 2.5)
_ORGANS, _BESIDE_ORGAN_MM, _ORGAN_LEVEL = ("liver", "spleen", "blood pool"), 40.0, 1.5


def tell_physiological(
    late: Image,
    labels: Image,
    regions: tuple[Region, ...],
    body: NDArray[np.bool_],
    *,
    surfaces: Surfaces | None = None,
    growth: Mapping[str, Growth] | None = None,
) -> tuple[Region, ...]:
    """Give found regions the role ``physiological`` where they are likely to be, with what they are likely and why.

    Within 20 mm of metal only marrow is, known not to have grown. Nothing that surely grew by half is physiological but
    bowel and bladder. Without a CT only what place and symmetry tell is; what else looks physiological stays a lesion,
    with a remark.

    Parameters
    ----------
    late : Image
    labels : Image
        On its grid.
    regions : tuple of Region
        Found, as `find_candidates` gives them.
    body : (slices, rows, columns) bool array
    surfaces : Surfaces or None
        Of the CT; None without one.
    growth : mapping or None
        Of regions by name; one without it has no known course.

    Returns
    -------
    tuple of Region
        In the same order, with `role`, `likely` and `remark`.
    """
    signs = signs_of(late, labels, regions, body, surfaces=surfaces, growth=growth)
    told = tuple(_judged(region, one) for region, one in zip(regions, signs, strict=True))
    return _with_more_bowel(_with_parts_of_organs(late, labels, told, signs), signs)


def _with_parts_of_organs(
    late: Image, labels: Image, regions: tuple[Region, ...], signs: tuple[Signs, ...]
) -> tuple[Region, ...]:
    """Count what lies at a liver, spleen or heart, and is as hot, to it; and hot pieces that make up an organ."""
    told = list(_with_organs_in_pieces(late, labels, regions, signs))
    for organ, of_organ in zip(tuple(told), signs, strict=True):
        if organ.likely not in _ORGANS:
            continue
        away = _distances(late, labels, organ)
        for n, (region, own) in enumerate(zip(told, signs, strict=True)):
            beside = region.role == "lesion" and float(away[labels.array == region.label].min()) <= _BESIDE_ORGAN_MM
            alike = _as_hot(own, of_organ) and not _courses_apart(own, of_organ) > 0
            if beside and alike and not (_grew(own) or own.in_bone > 1 - _MOSTLY):
                remark = f"Beside what is likely {organ.likely}, and as hot; {_course(own)}."
                told[n] = replace(region, role="physiological", likely=organ.likely, remark=remark)
    return tuple(told)


def _with_organs_in_pieces(
    late: Image, labels: Image, regions: tuple[Region, ...], signs: tuple[Signs, ...]
) -> tuple[Region, ...]:
    """Find pieces of a liver or spleen that are together larger than lesions: near to another, as hot, none grown."""
    pieces = {n for n, (region, own) in enumerate(zip(regions, signs, strict=True)) if _piece(region, own)}
    told = list(regions)
    while pieces:
        first = max(pieces, key=lambda n: signs[n].volume_ml)
        away = _distances(late, labels, regions[first])
        whole = {
            n
            for n in pieces
            if _as_hot(signs[n], signs[first])
            and float(away[labels.array == regions[n].label].min()) <= _BESIDE_ORGAN_MM
        }
        total = sum(signs[n].volume_ml for n in whole)
        likely = "spleen" if signs[first].on_left and signs[first].off_midline_mm >= _ORGAN_OFF_MM else "liver"
        for n in whole if total >= _ORGAN_ML else ():
            remark = f"One of {len(whole)} pieces, {total:.0f} mL together in the upper trunk; {_course(signs[n])}."
            told[n] = replace(regions[n], role="physiological", likely=likely, remark=remark)
        pieces -= whole
    return tuple(told)


def _piece(region: Region, own: Signs) -> bool:
    placed = own.in_trunk and not own.above_legs_mm < _ABOVE_LEGS_MM and not own.in_bone > 1 - _MOSTLY
    hot = own.level >= _HOT_PIECE and not own.in_fat > 1 - _MOSTLY
    return region.role == "lesion" and placed and hot and not _grew(own)


def _as_hot(one: Signs, other: Signs) -> bool:
    return 1.0 / _ORGAN_LEVEL <= one.level / other.level <= _ORGAN_LEVEL


def _distances(late: Image, labels: Image, region: Region) -> NDArray[np.float64]:
    """Return the distance of every voxel to a region, mm."""
    away = ndimage.distance_transform_edt(labels.array != region.label, sampling=late.geometry.spacing_mm)
    return np.asarray(away, dtype=np.float64)


def _judged(region: Region, signs: Signs) -> Region:
    if signs.to_metal_mm <= _AWAY_FROM_METAL_MM:
        return _at_metal(region, signs)
    course = _course(signs)
    for rule in (_bladder, _organ, _kidney, _marrow, _vessel, _bowel):
        found = rule(signs)
        if found is None:
            continue
        likely, why = found
        if _grew(signs) and likely not in ("bowel", "bladder"):
            return replace(region, remark=f"It lies like {likely} ({why}), but {course}; so it is judged.")
        return replace(region, role="physiological", likely=likely, remark=f"{why[:1].upper()}{why[1:]}; {course}.")
    doubt = _doubt(signs)
    return replace(region, remark=doubt) if doubt else region


def _with_more_bowel(regions: tuple[Region, ...], signs: tuple[Signs, ...]) -> tuple[Region, ...]:
    """Count to the bowel what has the level and the course of bowel beside gas, in the front of the same trunk."""
    known = [own for region, own in zip(regions, signs, strict=True) if region.likely == "bowel"]
    told = list(regions)
    for n, (region, own) in enumerate(zip(regions, signs, strict=True)):
        placed = own.in_trunk and own.depth <= _BEHIND and not own.in_bone > 0.2 and not own.to_metal_mm <= _FAR_MM
        placed = placed and not own.in_fat > _MOSTLY
        like = any(_like(own, bowel) for bowel in known)
        if region.role == "lesion" and placed and like and own.volume_ml >= _BOWEL_ML:
            remark = f"In the front of the trunk, of the level and course of bowel beside gas; {_course(own)}."
            told[n] = replace(region, role="physiological", likely="bowel", remark=remark)
    return tuple(told)


def _like(one: Signs, other: Signs) -> bool:
    return _log_ratio(one.level, other.level) <= math.log(_SAME_LEVEL) and _courses_apart(one, other) <= 0


def _courses_apart(one: Signs, other: Signs) -> float:
    """Return by how much two courses differ, as logarithms, beyond alike ones; NaN where one of them is not known."""
    if np.isnan(one.growth.factor) or np.isnan(other.growth.factor):
        return math.nan
    error = math.hypot(one.growth.relative_error, other.growth.relative_error)
    return _log_ratio(one.growth.factor, other.growth.factor) - math.log(_SAME_COURSE) - error


def _log_ratio(one: float, other: float) -> float:
    """Return how many times one is the other, as a logarithm without its sign; infinite where one is not positive."""
    return abs(math.log(one / other)) if one > 0 and other > 0 else math.inf


def _grew(signs: Signs) -> bool:
    """Tell whether it grew beyond what noise makes of a level that was kept."""
    return signs.growth.beyond(GREW, deviations=_SURELY) or _stands_out_more(signs)


def _stands_out_more(signs: Signs) -> bool:
    """Tell whether it stands out of what is round it surely more than it did: that no marrow, vessel or organ does."""
    return signs.standing_out.beyond(STANDS_OUT_MORE, deviations=_SURELY)


def _faded(signs: Signs) -> bool:
    """Tell whether it is likely that it stands out far less than it did; never where that is not known."""
    known = not np.isnan(signs.standing_out.factor)
    return bool(known and not signs.standing_out.beyond(FADED, deviations=-_LIKELY))


def _at_metal(region: Region, signs: Signs) -> Region:
    """Leave what lies at metal a lesion, unless it is marrow that is known not to have grown.

    Within 10 mm that tells only on the midline, where there is metal on both sides, or where the whole bone opposite
    stands out more than what the implant left of this one.
    """
    found = _marrow(signs)
    steady = not (signs.growth.beyond(GREW_AT_METAL, deviations=_SURELY) or _stands_out_more(signs))
    alone = signs.to_metal_mm <= _CLOSE_TO_METAL_MM < signs.opposite_to_metal_mm and not signs.own_mirror
    alone = alone and not signs.symmetry >= _WHOLE_OPPOSITE
    if found is None or np.isnan(signs.growth.factor) or not steady or alone:
        return region
    return replace(region, role="physiological", likely="marrow", remark=f"At metal, but {found[1]}; {_course(signs)}.")


def _course(signs: Signs) -> str:
    if np.isnan(signs.growth.factor):
        return "its course in time is not known"
    change = f"{signs.growth.factor - 1.0:+.0%}"
    if _stands_out_more(signs):
        return f"it stands out more than it did ({signs.standing_out.factor - 1.0:+.0%}; its uptake {change})"
    if _grew(signs):
        return f"its uptake grew ({change})"
    if signs.growth.factor > GREW_AT_METAL:
        return f"its uptake did not surely grow much ({change})"
    return f"its uptake fell ({change})" if signs.growth.factor < _FELL else f"its uptake kept its level ({change})"


def _bladder(signs: Signs) -> tuple[str, str] | None:
    low, high = _BLADDER_ABOVE_LEGS_MM
    placed = signs.own_mirror and signs.off_midline_mm <= _BLADDER_OFF_MM and low <= signs.above_legs_mm <= high
    deep = not (signs.depth > _BEHIND or signs.depth < _BELOW_SKIN)
    if placed and deep and not signs.in_bone > 0.6:
        return "bladder", f"on the midline of the pelvis, {signs.above_legs_mm:.0f} mm above where the legs part"
    return None


def _organ(signs: Signs) -> tuple[str, str] | None:
    """Spleen and liver: far larger and hotter than lesions, in the upper trunk."""
    if (
        not (signs.in_trunk and signs.volume_ml >= _ORGAN_ML and signs.level >= _HOT_ORGAN)
        or signs.in_bone > 1 - _MOSTLY
    ):
        return None
    one_sided = signs.off_midline_mm >= _ORGAN_OFF_MM or signs.volume_ml >= _LARGER_THAN_LESIONS_ML
    if signs.above_legs_mm < _ABOVE_LEGS_MM or not one_sided:
        return None
    where = f"{signs.volume_ml:.0f} mL in the upper trunk, {signs.level:.1f} times the body's median"
    return ("spleen" if signs.on_left else "liver"), f"{where}, on the {'left' if signs.on_left else 'right'}"


def _kidney(signs: Signs) -> tuple[str, str] | None:
    low, high = _KIDNEY_OFF_MM
    placed = signs.in_trunk and low <= signs.off_midline_mm <= high and signs.depth > _KIDNEY_DEPTH
    if (
        not placed
        or signs.above_legs_mm < _ABOVE_LEGS_MM
        or signs.volume_ml < _KIDNEY_ML
        or signs.level > _KIDNEY_LEVEL
    ):
        return None
    low, high = _KIDNEYS_ALIKE
    if low <= signs.symmetry <= high and not signs.in_bone > 1 - _MOSTLY:
        return "kidney", f"in the back of the trunk beside the spine, {_opposite(signs)}"
    return None


def _marrow(signs: Signs) -> tuple[str, str] | None:
    """Marrow by what a CT shows of bones and of marrow inside them; without that by its place or its symmetry."""
    odds = lesion_log_odds(signs)
    if np.isnan(odds):
        return _marrow_by_place(signs)
    if signs.in_bone < _MOSTLY or odds > _AS_MARROW or _faded(signs) or _one_sided(signs):
        return None
    times = signs.hottest_level / signs.marrow_level
    return "marrow", f"in bone, at most {times:.1f} times as hot as marrow inside bones, {_opposite(signs)}"


def _marrow_by_place(signs: Signs) -> tuple[str, str] | None:
    if signs.own_mirror:
        spine = np.isnan(signs.in_bone) and signs.in_trunk and signs.depth > _BEHIND and signs.elongated_along_body
        if spine and signs.level <= _MARROW_LEVEL:
            return "marrow", "along the midline in the back of the trunk, as the spine"
        return None
    if _faded(signs):
        return None
    # In bone what lies opposite may be hotter, which then is the one to look at.
    if signs.in_bone >= _MOSTLY and signs.symmetry >= _ALIKE_IN_BONE:
        return "marrow", f"in bone, {_opposite(signs)}"
    if np.isnan(signs.in_bone) and _alike(signs) and signs.level <= _MARROW_LEVEL:
        return "marrow", f"of a level that marrow has, {_opposite(signs)}"
    return None


def _one_sided(signs: Signs) -> bool:
    """Tell whether nothing like it lies opposite, though no implant is there to explain that."""
    explained = min(signs.to_metal_mm, signs.opposite_to_metal_mm) <= _AWAY_FROM_METAL_MM
    return signs.symmetry < _ONE_SIDED and not (signs.own_mirror or explained)


def _vessel(signs: Signs) -> tuple[str, str] | None:
    # As blood clears, vessels stand out less of what they run through.
    if not signs.growth.factor < _VESSEL_FELL or signs.standing_out.beyond(_VESSEL_STANDS_OUT, deviations=_LIKELY):
        return None
    if signs.in_bone > 1 - _MOSTLY:
        return None
    if signs.volume_ml >= _HEART_ML and signs.in_trunk and signs.growth.factor < _FELL:
        return "blood pool", f"{signs.volume_ml:.0f} mL outside of bone, as the heart and great vessels"
    if signs.elongated_along_body and signs.growth.factor < _FELL:
        return "blood vessel", "elongated along the body, outside of bone"
    small = signs.volume_ml < _SMALL_VESSEL_ML and signs.symmetry >= _HALF and not signs.own_mirror
    if small or (_alike(signs) and signs.volume_ml < _VESSEL_ML):
        return "blood vessel", f"outside of bone, {_opposite(signs)}"
    return None


def _bowel(signs: Signs) -> tuple[str, str] | None:
    if not (signs.in_trunk and signs.depth <= _FRONT) or signs.in_bone > 0.2 or signs.in_fat > _MOSTLY:
        return None
    grew = signs.growth.beyond(_LATE_BOWEL, deviations=_SURELY)
    if signs.to_gas_mm <= (_NEAR_GAS_MM if grew else _BESIDE_GAS_MM):
        return "bowel", f"{signs.to_gas_mm:.0f} mm from gas in the front of the trunk"
    return None


def _alike(signs: Signs) -> bool:
    low, high = _ALIKE
    return low <= signs.symmetry <= high and not signs.own_mirror


def _opposite(signs: Signs) -> str:
    if signs.own_mirror or np.isnan(signs.symmetry):
        return "on the midline" if signs.own_mirror else "without a place opposite in the field"
    return f"and what lies opposite stands out {signs.symmetry:.0%} as much"


def _doubt(signs: Signs) -> str:
    """Say what speaks for physiological uptake where it does not suffice; empty where nothing does."""
    if signs.in_trunk and signs.depth <= _FRONT and not signs.in_bone > 0.2 and not signs.above_legs_mm < 0:
        return "In the front of the trunk: bowel, which takes the agent up late, looks alike."
    if _alike(signs):
        return f"Uptake like it lies opposite ({signs.symmetry:.0%} as much): symmetric uptake may be physiological."
    if signs.in_bone >= _MOSTLY and signs.level <= _MARROW_LEVEL / 2:
        return "In bone, and no hotter than marrow often is."
    return ""
