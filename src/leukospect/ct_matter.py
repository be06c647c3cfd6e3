"""What is known of the matter in a CT besides its numbers: metal, contrast agent, couch; and what is said of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from leukospect.ct.coefficients import KnownMatter
from leukospect.ct.contrast_agent import ContrastAgent, find_contrast_agent
from leukospect.ct.dense_metal import metals_of_ct
from leukospect.ct.metal_content import MetalContent
from leukospect.data import CtSeries, Image
from leukospect.errors import AssumptionWarning
from leukospect.physics.attenuation import hu_to_mu, metal_ct_number_hu, metal_mu_per_cm, water_mu_per_cm
from leukospect.protocol import AttenuationSettings

_SKIN_MM = 6.0
_NO_CONTRAST_HU = 2200.0
_LIKE_ITS_MATERIAL = (0.55, 1.7)
_WORDS = {
    "titanium_alloy": "titanium alloy (Ti-6Al-4V)",
    "titanium": "titanium",
    "cobalt_chrome": "cobalt-chrome",
    "steel_316l": "316L steel",
}


@dataclass(frozen=True, slots=True, eq=False)
class CtMatter:
    """What fills some voxels of a CT, or None, and a sentence on each part of it."""

    known: KnownMatter | None
    notes: Mapping[str, str]


def matter_of_ct(
    ct: CtSeries,
    corrected: Image,
    body: NDArray[np.bool_],
    metal: Image | None,
    kvp: float,
    energy_kev: float,
    settings: AttenuationSettings,
) -> CtMatter:
    """Find what of a CT is not mapped by its numbers alone, as a protocol asks for.

    Parameters
    ----------
    ct : CtSeries
        As scanned.
    corrected : Image, HU
        After metal reduction, where that was done.
    body : (slices, rows, columns) bool array
        Its `body_outline`.
    metal : Image or None
        1 in metal, on the CT's grid; None maps metal by its CT numbers.
    kvp : float
    energy_kev : float
        Of the photopeak that the sentences give coefficients for.
    settings : AttenuationSettings

    Warns
    -----
    AssumptionWarning
        The metal's material was assumed or does not fit its CT numbers; contrast agent was found.
    """
    notes: dict[str, str] = {}
    mask = None if metal is None or not metal.array.any() else metal
    metals: tuple[MetalContent, ...] = ()
    if mask is not None and settings.metal_material != "as-scanned":
        metals = metals_of_ct(ct.image, mask, kvp, settings.metal_material)
        notes["metal"] = _say_metal(metals[0], kvp, energy_kev, settings)
        if len(metals) > 1:
            notes["denser metal"] = _say_denser(metals[1], energy_kev, settings)
    elif mask is not None:
        notes["metal"] = "Metal is mapped by its CT numbers, as scanned."
    agent = find_contrast_agent(
        corrected, body, np.greater(corrected.array, _NO_CONTRAST_HU) if mask is None else mask.array
    )
    water = None
    if agent.pools or ct.contrast_recorded:
        notes["contrast agent"] = _say_contrast(agent, ct, kvp, energy_kev, settings)
        water = agent.mask if agent.pools and settings.contrast_as_water else None
    air = None
    if settings.couch == "remove":
        air = _away_from(body, corrected.geometry.spacing_mm)
        notes["couch"] = "The couch, and what lies on or beside the body, was taken out of the attenuation map."
    if not metals and water is None and air is None:
        return CtMatter(None, notes)
    return CtMatter(KnownMatter(metals, water, air), notes)


def _say_denser(content: MetalContent, energy_kev: float, settings: AttenuationSettings) -> str:
    mu = metal_mu_per_cm(content.material, energy_kev, coherent_counted=settings.coherent_counted)
    sentence = (
        f"{content.volume_ml:.1f} mL of it read too high for {_WORDS[settings.metal_material]} and attenuate as "
        f"{_WORDS[content.material]}, {mu:.2f} 1/cm."
    )
    warnings.warn(sentence, AssumptionWarning, stacklevel=4)
    return sentence


def _say_metal(content: MetalContent, kvp: float, energy_kev: float, settings: AttenuationSettings) -> str:
    material = settings.metal_material
    mu = metal_mu_per_cm(material, energy_kev, coherent_counted=settings.coherent_counted)
    sentence = (
        f"The metal of the CT ({content.volume_ml:.1f} mL) attenuates as {_WORDS[material]}, {mu:.2f} 1/cm at "
        f"{energy_kev:.0f} keV, whatever its CT numbers"
    )
    if "metal_material" in settings.model_fields_set:
        sentence += "."
    else:
        sentence += ": its material is assumed; --metal-material (attenuation.metal_material) tells another."
        warnings.warn(sentence, AssumptionWarning, stacklevel=4)
    table = metal_ct_number_hu(material, kvp)
    low, high = _LIKE_ITS_MATERIAL
    if content.plateau_hu is not None and not low * table <= content.plateau_hu <= high * table:
        warnings.warn(
            f"The metal of the CT reads {content.plateau_hu:.0f} HU inside, where {_WORDS[material]} has about "
            f"{table:.0f}; check its material (--metal-material, attenuation.metal_material).",
            AssumptionWarning,
            stacklevel=4,
        )
    return sentence


def _say_contrast(
    agent: ContrastAgent, ct: CtSeries, kvp: float, energy_kev: float, settings: AttenuationSettings
) -> str:
    recorded = "The CT's header records a contrast agent" if ct.contrast_recorded else ""
    if not agent.pools:
        return f"{recorded}; no pools of it were found."
    with warnings.catch_warnings():  # of the voltage, which the map itself tells
        warnings.simplefilter("ignore", AssumptionWarning)
        made = float(
            hu_to_mu(
                np.array([agent.mean_hu]),
                kvp,
                energy_kev,
                settings.hu_table,
                coherent_counted=settings.coherent_counted,
            )[0]
        )
    excess = 100.0 * (made / water_mu_per_cm(energy_kev, coherent_counted=settings.coherent_counted) - 1.0)
    found = f"{agent.volume_ml:.0f} mL of {agent.mean_hu:.0f} HU look like contrast agent"
    sentence = f"{recorded}: {found}" if recorded else f"{found}, though none is recorded"
    if settings.contrast_as_water:
        sentence += f" and are mapped like water; their CT numbers would give {excess:.0f} % more attenuation."
    else:
        sentence += (
            f"; mapped by their CT numbers they attenuate {excess:.0f} % more than the agent does at "
            f"{energy_kev:.0f} keV (attenuation.contrast_as_water maps them like water)."
        )
    warnings.warn(sentence, AssumptionWarning, stacklevel=4)
    return sentence


def _away_from(body: NDArray[np.bool_], spacing_mm: tuple[float, float, float]) -> NDArray[np.bool_]:
    """Mark what lies away from the body; its outline is true to some millimetres, so a margin of skin stays."""
    reach = [max(1, round(_SKIN_MM / step)) for step in spacing_mm[1:]]
    y, x = np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = np.hypot(y * spacing_mm[1], x * spacing_mm[2]) <= _SKIN_MM
    away = np.empty_like(body)
    for k in range(body.shape[0]):
        away[k] = ~ndimage.binary_dilation(body[k], structure=disc)
    return away
