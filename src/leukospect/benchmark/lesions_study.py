"""One study of the lesion benchmark: a body with lesions is scanned, taken all the way to its flag, and compared."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.lesions_bodies import (
    LATE_HOURS,
    Lesion,
    compartment_at,
    normal_body,
    with_lesions,
)
from leukospect.benchmark.lesions_results import FocusCase, LesionCase, LesionSettings, Picture, StudyCase
from leukospect.data import CtSeries, Geometry, Image, Projections, Study
from leukospect.errors import AssumptionWarning
from leukospect.phantoms import Phantom, attenuation_map, concentration_map, simulate_study
from leukospect.phantoms.materials import linear_attenuation_per_cm
from leukospect.pipeline import run_study
from leukospect.protocol import load_protocol
from leukospect.quantification.measurements import Change, Ratio, Region
from leukospect.study_result import StudyResult

_PROTOCOL = "tc99m-hmpao-spect-ct"
_SETTINGS = ("registration.enabled=false", "registration.sensitivity=false", "metal.enabled=false")
_CT_ENERGY_KEV, _CT_KVP = 80.0, 120.0
_CT_FINER, _CT_SAMPLES, _TOP_HU = 1.5, 2, 3071.0
_LEAST_OVERLAP = 0.2
"""Shared over joint volume of a focus and a lesion, from which it is at the lesion wherever its hottest voxel is."""

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class StudyFound:
    """What one study gave."""

    study: StudyCase
    lesions: tuple[LesionCase, ...]
    foci: tuple[FocusCase, ...]
    picture: Picture | None
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Focus:
    """A region that the program found, with the lesion it is at and its hottest voxel, LPS mm."""

    region: Region
    at: str
    hottest_mm: tuple[float, float, float]


def studied(number: int, settings: LesionSettings, *, pictured: bool = False, threads: int | None = None) -> StudyFound:
    """Draw, scan and read study `number`.

    Parameters
    ----------
    number : int
        From 0; it chooses the kind of body and all draws.
    settings : LesionSettings
    pictured : bool
        Keep a picture.
    threads : int or None
        The result does not depend on it.
    """
    body, seed = settings.bodies[number % len(settings.bodies)], settings.first_draw + number
    empty = number // len(settings.bodies) % settings.without_every == settings.without_every - 1
    phantom, lesions = with_lesions(normal_body(body, seed, settings), seed, 0 if empty else settings.lesions, settings)
    study = _scanned(phantom, seed, settings, threads)
    options = (*_SETTINGS, f"uncertainty.replicates={settings.replicates}", *settings.settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AssumptionWarning)
        result = run_study(study, load_protocol(_PROTOCOL, options), threads=threads)
    foci = _foci(result, lesions)
    cases = tuple(_lesion_case(number, seed, body, lesion, foci, result, phantom) for lesion in lesions)
    counts = [float(np.sum(one.counts[0], dtype=np.float64)) for one in study.projections]
    growing = sum(lesion.course == "growing" for lesion in lesions)
    return StudyFound(
        StudyCase(number, seed, body, len(lesions), growing, counts[0], counts[1], result.flag.flag),
        cases,
        _focus_cases(number, seed, body, foci, result, phantom),
        _picture(number, body, result, foci, cases) if pictured else None,
        tuple(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, AssumptionWarning))),
    )


def _scanned(phantom: Phantom, seed: int, settings: LesionSettings, threads: int | None) -> Study:
    """Scan a body twice as it lies, with one CT that is free of noise and artefacts."""
    simulated = simulate_study(phantom, seed=seed, threads=threads).study
    return Study((*simulated.acquisitions, _true_ct(phantom, simulated.projections[-1], settings)))


def _true_ct(phantom: Phantom, spect: Projections, settings: LesionSettings) -> CtSeries:
    """Give the CT that shows the body as it is: its attenuation at one energy, on finer voxels than the SPECT's."""
    step = settings.pixel_mm / _CT_FINER
    rows, columns = (round(n * _CT_FINER) for n in settings.matrix)
    half = (columns - 1) / 2.0 * step
    x, y = spect.axis_mm
    lowest = spect.first_row_z_mm + (settings.pixel_mm - step) / 2.0 - (rows - 1) * step
    geometry = Geometry.axial(
        (rows, columns, columns), (step, step, step), (x - half, y - half, lowest), spect.header.frame_of_reference_uid
    )
    mu = np.asarray(attenuation_map(phantom, _CT_ENERGY_KEV, geometry, _CT_SAMPLES).array, np.float64)
    water = float(linear_attenuation_per_cm("water", _CT_ENERGY_KEV))
    hu = np.clip(np.rint(1000.0 * (mu / water - 1.0)), -1000.0, _TOP_HU).astype(np.int16)
    header = replace(
        spect.header, kind="CT", radiopharmaceutical=None, collimator="", description="truth of the phantom",
        series_uid=f"{spect.header.series_uid}.1",
    )  # fmt: skip
    return CtSeries(Image(hu, geometry, "HU"), header, _CT_KVP, "standard", step)


def _foci(result: StudyResult, lesions: Sequence[Lesion]) -> tuple[_Focus, ...]:
    """Give every region found that is no reference, and the lesion it is at."""
    labels, image = np.asarray(result.labels[-1].array), result.spect[-1].recon
    grid = image.geometry
    points = grid.to_lps(np.moveaxis(np.indices(grid.shape), 0, -1))
    margin = min(grid.spacing_mm) / 2.0
    within = {
        one.name: np.sqrt(np.sum((points - np.array(one.centre_mm)) ** 2, axis=-1)) <= one.diameter_mm / 2.0 + margin
        for one in lesions
    }
    foci = []
    for region in result.regions:
        if region.role == "reference":
            continue
        mask = labels == region.label
        index = np.unravel_index(int(np.argmax(np.where(mask, image.array, -1.0))), grid.shape)
        x, y, z = (float(value) for value in points[index])
        foci.append(_Focus(region, lesion_at(mask, within, index), (x, y, z)))
    return tuple(foci)


def lesion_at(mask: Bools, within: Mapping[str, Bools], hottest: tuple[np.intp | int, ...]) -> str:
    """Name the lesion that holds a focus' hottest voxel, else the one it overlaps most, if that is enough.

    Parameters
    ----------
    mask : bool array
        The focus.
    within : mapping of a lesion's name to a bool array
    hottest : index of the focus' hottest voxel
    """
    for name, lesion in within.items():
        if lesion[hottest]:
            return name
    overlaps = {
        name: np.count_nonzero(mask & lesion) / np.count_nonzero(mask | lesion) for name, lesion in within.items()
    }
    best = max(overlaps, key=lambda name: overlaps[name], default="")
    return best if best and overlaps[best] >= _LEAST_OVERLAP else ""


def _lesion_case(
    number: int, seed: int, body: str, lesion: Lesion, foci: Sequence[_Focus], result: StudyResult, phantom: Phantom
) -> LesionCase:
    x, y, z = lesion.centre_mm
    case = LesionCase(
        number, seed, body, lesion.name, lesion.site, lesion.diameter_mm, lesion.contrast, lesion.course,
        lesion.change, x, y, z,
    )  # fmt: skip
    # A focus called a lesion goes before one called something else.
    here = sorted((one for one in foci if one.at == lesion.name), key=lambda one: one.region.role != "lesion")
    if not here:
        return case
    region = here[0].region
    case = replace(case, found=region.role == "lesion", called=region.role, focus=region.name)
    if region.role != "lesion":
        return case
    flag = next(one for one in result.flag.lesions if one.lesion == region.name)
    case = replace(case, flag=flag.flag, probability=flag.probability)
    ratio = next((one for one in result.ratios if one.lesion == region.name and one.time_point == "late"), None)
    change = next((one for one in result.changes if one.lesion == region.name), None)
    return _with_measures(case, ratio, change, _true_ratio(lesion, region, result, phantom))


def _with_measures(case: LesionCase, ratio: Ratio | None, change: Change | None, true_ratio: float) -> LesionCase:
    if ratio is not None:
        value = ratio.ratio
        case = replace(case, ratio=value.value, ratio_low=value.low, ratio_high=value.high, true_ratio=true_ratio)
    if change is not None:
        found = change.change
        case = replace(case, change=found.value, change_low=found.low, change_high=found.high)
    return case


def _true_ratio(lesion: Lesion, region: Region, result: StudyResult, phantom: Phantom) -> float:
    """Divide the lesion's true late concentration by the true mean over the reference region measured with."""
    reference = next((one for one in result.regions if one.name == region.reference), None)
    if reference is None:
        return float("nan")
    labels = result.labels[-1]
    truth = concentration_map(phantom, LATE_HOURS, labels.geometry, 2)
    return lesion.late_kbq_per_ml / float(truth.array[labels.array == reference.label].mean())


def _focus_cases(
    number: int, seed: int, body: str, foci: Sequence[_Focus], result: StudyResult, phantom: Phantom
) -> tuple[FocusCase, ...]:
    flags = {one.lesion: one.flag for one in result.flag.lesions}
    return tuple(
        FocusCase(
            number, seed, body, one.region.name, one.region.role, one.at,
            compartment_at(phantom, one.hottest_mm), *one.hottest_mm, float(one.region.volume_ml),
            flags.get(one.region.name, ""),
        )
        for one in foci
    )  # fmt: skip


def _picture(
    number: int, body: str, result: StudyResult, foci: Sequence[_Focus], cases: tuple[LesionCase, ...]
) -> Picture:
    """Project the late image and the foci from the front; columns run to the patient's left, slices to the head."""
    labels, image = result.labels[-1], result.spect[-1].recon
    grid = image.geometry
    low, high = grid.to_lps((-0.5, 0.0, -0.5)), grid.to_lps((grid.shape[0] - 0.5, 0.0, grid.shape[2] - 0.5))
    return Picture(
        f"study {number}, {body}",
        np.asarray(image.array, np.float32).max(axis=1),
        (float(low[0]), float(high[0]), float(low[2]), float(high[2])),
        cases,
        tuple((one.region.role, (labels.array == one.region.label).any(axis=1)) for one in foci),
    )
