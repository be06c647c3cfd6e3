"""What is done with the CT of a SPECT: metal reduction, registration, the attenuation map, the body's outline."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from leukospect.body_completion import BodyBeyondCt, body_beyond_ct
from leukospect.ct.body import body_outline
from leukospect.ct.ct_numbers import voltage_of_numbers
from leukospect.ct.metal import MetalReduction, reduce_metal
from leukospect.ct.metal_segmentation import find_metal
from leukospect.ct.reduced_before import done_already
from leukospect.ct_matter import matter_of_ct
from leukospect.data import CtSeries, Geometry, Image, Projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.field_of_view import FieldOfView, reach_of_body, widened_for_body
from leukospect.photopeaks import PhotopeakCounts
from leukospect.physics.attenuation import effective_mu_ratio, water_mu_per_cm
from leukospect.physics.nuclides import Nuclide
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import Protocol
from leukospect.registration import FLAG_MM, Registration, register_emission_to_ct, resample
from leukospect.spect_study import attenuation_map

Progress = Callable[[str, float], None]

_TISSUE_PER_CM = 0.05
_AIR_PER_CM = 0.005
_TYPICAL_PER_CM = (0.03, 0.8)
_TABULATED_KVP, _USUAL_KVP, _USUAL_KEV = (80.0, 140.0), 120.0, 140.5


def reduced_ct(
    ct: CtSeries | None, protocol: Protocol, threads: int | None, progress: Progress
) -> MetalReduction | None:
    """Reduce the metal artefacts of the CT, where there is one and it is asked for."""
    if ct is None or not protocol.metal.enabled:
        return None
    if ct.metal_reduction:
        warnings.warn(
            f"{done_already(ct.metal_reduction, 'the CT')}, so the metal reduction asked for is not done on top; "
            "`leukospect mar` does it all the same.",
            AssumptionWarning,
            stacklevel=2,
        )
        return None
    return reduce_metal(
        ct,
        method=protocol.metal.method,
        threshold_hu=protocol.metal.threshold_hu,
        threads=threads,
        progress=lambda done: progress("reducing metal artefacts", done),
    )


def registered_to_ct(
    spect: Image,
    ct: Image | None,
    protocol: Protocol,
    threads: int | None,
    progress: Progress,
    *,
    attenuated: bool = True,
) -> tuple[Registration | None, str]:
    """Register a SPECT to its CT, and say in a sentence or two what was done and why.

    It is best one without attenuation correction; another is `attenuated` no more.
    """
    if ct is None:
        return None, "There is no CT to register to."
    if not protocol.registration.enabled:
        return None, "The scanner's own alignment of SPECT and CT was taken; no registration was asked for."
    progress("registering SPECT to CT", 0.0)
    found = register_emission_to_ct(
        spect,
        ct,
        body_outline(ct),
        attenuated=attenuated,
        maximum_shift_mm=protocol.registration.maximum_shift_mm,
        maximum_rotation_deg=protocol.registration.maximum_rotation_deg,
        threads=threads or 2,
        progress=lambda done: progress("registering SPECT to CT", done),
    )
    if found.misalignment_mm >= FLAG_MM or found.mirrored:
        warnings.warn(f"SPECT and CT: {found.reason}", AssumptionWarning, stacklevel=2)
    return found, found.reason


def field_with_body(
    projections: Projections,
    field: FieldOfView,
    corrected: Image | None,
    registration: Registration | None,
    given: Image | None,
    protocol: Protocol,
) -> FieldOfView:
    """Widen the field of a reconstruction where the CT, or a map that was given, shows a body beyond it."""
    if not protocol.attenuation.enabled:
        return field
    if given is not None:
        body = np.asarray(given.array, np.float32) > _TISSUE_PER_CM
        return widened_for_body(projections, field, reach_of_body(body, given, projections, np.eye(4)))
    if corrected is None:
        return field
    matrix = np.eye(4) if registration is None else registration.matrix
    return widened_for_body(projections, field, reach_of_body(body_outline(corrected), corrected, projections, matrix))


def metal_of_ct(ct: CtSeries | None, reduction: MetalReduction | None, protocol: Protocol) -> Image | None:
    """Give where metal is in a CT: what the reduction found or, without one, what is found for the map alone."""
    if ct is None or not protocol.attenuation.enabled:
        return None
    if reduction is not None:
        return reduction.metal
    metal = find_metal(ct.image, protocol.metal.threshold_hu)
    return Image(metal.view(np.uint8), ct.image.geometry, "1") if metal.any() else None


@dataclass(frozen=True, slots=True, eq=False)
class AttenuationMaps:
    """The attenuation map of each photopeak, in the order of `peak.peaks`, and a sentence on each part set in them."""

    maps: tuple[Image, ...]
    notes: Mapping[str, str]


def mu_maps_for(
    projections: Projections,
    peak: PhotopeakCounts,
    ct: CtSeries | None,
    corrected: Image | None,
    registration: Registration | None,
    given: Image | None,
    protocol: Protocol,
    *,
    metal: Image | None = None,
    nac: Image | None = None,
) -> tuple[Image, ...] | None:
    """Give the maps alone of `attenuation_maps_for`, which see."""
    made = attenuation_maps_for(projections, peak, ct, corrected, registration, given, protocol, metal=metal, nac=nac)
    return None if made is None else made.maps


def attenuation_maps_for(
    projections: Projections,
    peak: PhotopeakCounts,
    ct: CtSeries | None,
    corrected: Image | None,
    registration: Registration | None,
    given: Image | None,
    protocol: Protocol,
    *,
    metal: Image | None = None,
    nac: Image | None = None,
) -> AttenuationMaps | None:
    """Make the attenuation maps of the photopeaks on the grid of a reconstruction, from the CT or from a map given.

    Parameters
    ----------
    projections : Projections
        Whose `reconstruction_geometry` is the grid.
    peak : PhotopeakCounts
    ct : CtSeries or None
        As scanned.
    corrected : Image or None
        The CT to map: after metal reduction, or as scanned.
    registration : Registration or None
    given : Image or None
    protocol : Protocol
    metal : Image or None
        1 in metal, on the CT's grid; None maps metal by its CT numbers.
    nac : Image or None
        The SPECT without attenuation correction, which tells the body beyond the CT's field of view.

    Returns
    -------
    AttenuationMaps, 1/cm, or None where there is nothing to make them of
    """
    geometry, settings = reconstruction_geometry(projections), protocol.attenuation
    if not settings.enabled:
        return None
    if given is not None:
        return AttenuationMaps(_given_maps(given, geometry, peak, protocol), {})
    if ct is None or corrected is None:
        return None
    energies = peak.energies_for("attenuation correction from CT")
    kvp = voltage_of_numbers(ct, settings.assumed_kvp)
    body = body_outline(corrected)
    matter = matter_of_ct(ct, corrected, body, metal, kvp, energies[peak.main], settings)
    matrix = None if registration is None else registration.matrix
    beyond = body_beyond_ct(corrected, nac, geometry, matrix, settings.smoothing_fwhm_mm, body)
    maps = tuple(
        _with_body_beyond(
            attenuation_map(
                corrected,
                kvp,
                energy_kev,
                geometry,
                spect_to_ct=matrix,
                smoothing_fwhm_mm=settings.smoothing_fwhm_mm,
                hu_table=settings.hu_table,
                coherent_counted=settings.coherent_counted,
                known=matter.known,
            ),
            beyond,
            water_mu_per_cm(energy_kev, coherent_counted=settings.coherent_counted),
        )
        for energy_kev in energies
    )
    if settings.effective_mu:
        maps = _with_effective_mu(maps, peak, protocol)
    if float(maps[0].array.max()) <= 0:
        raise InputError(
            "The CT shows no body where the SPECT lies, so it cannot correct attenuation; check that they belong "
            "together."
        )
    notes = dict(matter.notes)
    if beyond is not None:
        notes["beyond the CT's field of view"] = _say_beyond(beyond)
    return AttenuationMaps(maps, notes)


def _with_body_beyond(mu: Image, beyond: BodyBeyondCt | None, water_per_cm: float) -> Image:
    if beyond is None or beyond.part is None:
        return mu
    added = np.asarray(mu.array, np.float32) + np.float32(water_per_cm) * beyond.part
    return Image(added, mu.geometry, mu.unit)


def _say_beyond(beyond: BodyBeyondCt) -> str:
    sentence = "The body reaches the edge of the CT's field of view: the attenuation map is incomplete there."
    if beyond.part is not None:
        sentence = (
            f"The CT's field of view cuts the body off in {beyond.slices} of its slices: {beyond.volume_ml:.0f} mL "
            "beyond it, found by the counts without attenuation correction, are taken as soft tissue."
        )
    elif np.isfinite(beyond.agreement):
        sentence = sentence[:-1] + f"; the counts do not show the body's outline (overlap {beyond.agreement:.2f})."
    warnings.warn(sentence, AssumptionWarning, stacklevel=3)
    return sentence


def refuse_without_effective_mu(peak: PhotopeakCounts) -> None:
    """Refuse photopeaks for which no effective coefficient is tabulated."""
    for energy in peak.energies_for("attenuation correction from CT"):
        effective_mu_ratio(energy)


def _with_effective_mu(maps: tuple[Image, ...], peak: PhotopeakCounts, protocol: Protocol) -> tuple[Image, ...]:
    """Scale maps to effective coefficients, and say so."""
    energies = peak.energies_for("attenuation correction from CT")
    counted = protocol.attenuation.coherent_counted
    ratios = [effective_mu_ratio(energy, coherent_counted=counted) for energy in energies]
    water = ratios[peak.main] * water_mu_per_cm(energies[peak.main], coherent_counted=counted)
    warnings.warn(
        f"Attenuation is corrected with effective coefficients (water {water:.2f} 1/cm) and scatter is left in the "
        "counts: uptake is roughly right on average, not at every depth, and cold places are filled up.",
        AssumptionWarning,
        stacklevel=3,
    )
    values = [np.asarray(one.array, np.float32) for one in maps]
    return tuple(
        Image(array * np.float32(ratio), one.geometry, one.unit)
        for array, ratio, one in zip(values, ratios, maps, strict=True)
    )


def _given_maps(given: Image, geometry: Geometry, peak: PhotopeakCounts, protocol: Protocol) -> tuple[Image, ...]:
    """Bring a map that the user made to the reconstruction's grid, and from its one energy to each photopeak's."""
    found = _given_map(given, geometry)
    if len(peak.peaks) == 1:
        return (found,)
    counted = protocol.attenuation.coherent_counted
    energies = peak.energies_for("attenuation correction")
    water = [water_mu_per_cm(energy, coherent_counted=counted) for energy in energies]
    ratios = [each / water[peak.main] for each in water]
    others = ", ".join(f"times {r:.3f} at {e:.0f} keV" for r, e in zip(ratios, energies, strict=True) if r != 1.0)
    warnings.warn(
        f"The attenuation map that was given is taken as that at {energies[peak.main]:.0f} keV, and {others}: the "
        "ratio of water's coefficients.",
        AssumptionWarning,
        stacklevel=3,
    )
    return tuple(
        Image(np.multiply(found.array, np.float32(ratio), dtype=np.float32), geometry, found.unit) for ratio in ratios
    )


def _given_map(given: Image, geometry: Geometry) -> Image:
    """Bring an attenuation map that the user made to the reconstruction's grid."""
    if not np.all(np.isfinite(given.array)) or float(given.array.min()) < -0.01:
        raise InputError(
            "The attenuation map holds values below 0 or that are no numbers; give one in 1/cm, not in HU."
        )
    found = np.maximum(resample(given, geometry).array.astype(np.float32), np.float32(0))
    if float(found.max()) <= 0:
        raise InputError(
            "The attenuation map is empty where the SPECT lies; check that they belong together and its millimetres."
        )
    _check_unit(float(np.median(found[found > _AIR_PER_CM])) if (found > _AIR_PER_CM).any() else 0.0)
    return Image(found, geometry, "1/cm")


def _check_unit(typical_per_cm: float) -> None:
    """Refuse a map without tissue, as one in 1/mm is, and say where most of it attenuates like metal."""
    found = (
        f"The attenuation map's typical value beside air is {typical_per_cm:.2g}, where tissue has 0.1 to 0.3 per cm"
    )
    if typical_per_cm < _TYPICAL_PER_CM[0]:
        raise InputError(f"{found}; check that it is in 1/cm.")
    if typical_per_cm > _TYPICAL_PER_CM[1]:
        warnings.warn(f"{found}; it is taken as it is, in 1/cm.", AssumptionWarning, stacklevel=4)


def outline_of_ct(
    ct: CtSeries,
    corrected: Image | None,
    registration: Registration | None,
    onto: Geometry,
    source: Nuclide | None,
    protocol: Protocol,
) -> Image:
    """Show the CT on the SPECT grid as an attenuation map: nothing is corrected with it, so any voltage serves."""
    low, high = _TABULATED_KVP
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        return attenuation_map(
            ct.image if corrected is None else corrected,
            ct.kvp if ct.kvp is not None and low <= ct.kvp <= high else _USUAL_KVP,
            _mean_energy_kev(source),
            onto,
            spect_to_ct=None if registration is None else registration.matrix,
            smoothing_fwhm_mm=protocol.attenuation.smoothing_fwhm_mm,
            hu_table=protocol.attenuation.hu_table,
            coherent_counted=protocol.attenuation.coherent_counted,
        )


def _mean_energy_kev(source: Nuclide | None) -> float:
    if source is None:
        return _USUAL_KEV
    energies, yields = np.array(source.photons).T
    return float(np.average(energies, weights=yields))
