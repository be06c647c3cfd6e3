"""The effect of the CT's metal on the SPECT: the same counts with the map of the CT as scanned, and with none.

Flags rest on the corrected map. Those that another map would turn are marked, since a streak in the CT, or what was
made of it, then decides and not the uptake.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from leukospect.ct.metal import MetalReduction
from leukospect.ct_stages import mu_maps_for
from leukospect.data import CtSeries, Image, Projections
from leukospect.errors import AssumptionWarning
from leukospect.field_of_view import FieldOfView
from leukospect.interpretation.flag import OtherMap
from leukospect.interpretation.map_effect import AttenuationEffect, effect_of_maps
from leukospect.interpretation.rule import Rule
from leukospect.photopeaks import PhotopeakCounts
from leukospect.protocol import Protocol
from leukospect.quantification.comparison import Deviations
from leukospect.quantification.measurements import Measurement, Ratio, TimePoint
from leukospect.quantification.spect import SpectSamples
from leukospect.registration import Registration
from leukospect.spect_settings import prepared
from leukospect.study_measurement import PlacedRegions, measure_images
from leukospect.study_result import SpectResult, WithCtAsScanned

Progress = Callable[[str, float], None]


def with_ct_as_scanned(
    projections: Projections,
    peak: PhotopeakCounts,
    ct: CtSeries | None,
    reduction: MetalReduction | None,
    registration: Registration | None,
    corrected: tuple[Image, Sequence[Image]],
    field: FieldOfView,
    protocol: Protocol,
    *,
    nac: Image | None = None,
    threads: int | None = None,
    progress: Progress,
) -> WithCtAsScanned | None:
    """Reconstruct the same counts with the attenuation map of the CT as scanned; all but the map is the same.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    ct : CtSeries or None
    reduction : MetalReduction or None
    registration : Registration or None
        SPECT to CT, as found with the reduced CT.
    corrected : (Image, sequence of Image)
        The reconstruction with the corrected maps, and those maps on the grid of `field`.
    field : FieldOfView
    protocol : Protocol
    nac : Image or None
        The reconstruction without attenuation correction, which tells a body's outline beyond the CT.
    threads : int or None
    progress : function of a stage's name and the fraction of it done

    Returns
    -------
    WithCtAsScanned or None
        None without metal that was looked for here, or where `metal.show_effect` is off. Where the maps are the same
        to the bit, the reconstruction is the corrected one.
    """
    if not protocol.metal.show_effect or ct is None or reduction is None or not np.any(reduction.metal.array):
        return None
    recon, maps = corrected
    with warnings.catch_warnings():
        # What is assumed of the CT was said of the corrected map already.
        warnings.simplefilter("ignore", AssumptionWarning)
        scanned = mu_maps_for(field.widened(projections), peak, ct, ct.image, registration, None, protocol, nac=nac)
        if scanned is None:
            return None
        if all(np.array_equal(one.array, other.array) for one, other in zip(scanned, maps, strict=True)):
            return WithCtAsScanned(recon, field.cropped(scanned[peak.main]))
        reconstructor = prepared(projections, peak, scanned, field, protocol, threads)
    image = reconstructor.image(peak, progress=lambda done: progress("reconstructing with the CT as scanned", done))
    return WithCtAsScanned(image, field.cropped(scanned[peak.main]))


def effect_on_study(
    spect: Sequence[SpectResult],
    placed: PlacedRegions,
    samples: dict[TimePoint, SpectSamples],
    measurements: Sequence[Measurement],
    rule: Rule,
    *,
    same_scale: bool = True,
    marrow: Sequence[Ratio] = (),
    deviations: Deviations | None = None,
) -> AttenuationEffect | None:
    """Measure what the other maps give in the same regions, and apply the rule to each.

    Parameters
    ----------
    spect : sequence of SpectResult
    placed : PlacedRegions
    samples : dict
        Resampled means with the corrected map.
    measurements : sequence of Measurement
        With the corrected map, planar ones as well.
    rule : Rule
    same_scale : bool
        As in `measure_spect_times`.
    marrow : sequence of Ratio
        Of a marrow scan.
    deviations : mapping or None
        What misalignment is expected to leave of the ratios, whatever the map.

    Returns
    -------
    AttenuationEffect or None
        None where no acquisition was reconstructed with the CT as scanned, or nothing was measured. An acquisition
        whose CT holds no metal has one map only, which stands for both.
    """
    if not placed.regions or not any(result.as_scanned is not None for result in spect):
        return None
    images: dict[OtherMap, list[Image]] = {
        "as scanned": [one.recon if one.as_scanned is None else one.as_scanned.recon for one in spect]
    }
    uncorrected = [one.recon_nac for one in spect if one.recon_nac is not None]
    if len(uncorrected) == len(spect):
        images["none"] = uncorrected
    others = {
        name: measure_images(each, spect, placed, samples, same_scale=same_scale) for name, each in images.items()
    }
    only_ratios = () if same_scale else ("spect",)
    return effect_of_maps(
        measurements,
        others,
        placed.regions,
        samples,
        rule,
        only_ratios=only_ratios,
        marrow=marrow,
        deviations=deviations,
    )
