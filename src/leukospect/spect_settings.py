"""What a protocol's settings mean for the reconstruction of one acquisition."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from leukospect.data import CtSeries, Image, Projections
from leukospect.errors import AssumptionWarning, InputError
from leukospect.field_of_view import FieldOfView
from leukospect.filtered_backprojection import Window
from leukospect.photopeaks import PhotopeakCounts
from leukospect.physics.collimators import Collimator, septal_penetration
from leukospect.protocol import Protocol, ReconstructionSettings
from leukospect.spect_algorithms import Penalised, QuickLook
from leukospect.spect_study import Reconstructor, collimator_of, prepare_reconstruction

_LOW_ENERGY_KEV = 150.0
_ACCEPTABLE_PENETRATION = 0.05


def takes_effective_mu(protocol: Protocol, ct: CtSeries | None, mu: Image | None) -> bool:
    """Tell whether attenuation is corrected with effective coefficients, so that scatter stays in the counts."""
    asked = protocol.attenuation.effective_mu and protocol.attenuation.enabled
    if asked and mu is not None:
        raise InputError(
            "A map given with --mu is used as it is; make it with effective coefficients and take --scatter none, or "
            "leave --effective-mu out."
        )
    return asked and ct is not None


def prepared(
    projections: Projections,
    peak: PhotopeakCounts,
    maps: Sequence[Image] | None,
    field: FieldOfView,
    protocol: Protocol,
    threads: int | None,
) -> Reconstructor:
    """Make the model and the method of an acquisition ready, as a protocol asks for.

    Parameters
    ----------
    projections : Projections
    peak : PhotopeakCounts
    maps : sequence of Image or None
        Attenuation of each photopeak on the grid of `field`.
    field : FieldOfView
    protocol : Protocol
    threads : int or None
    """
    settings = protocol.reconstruction
    # A name that was given is looked up even where it is not needed: a wrong one must not pass.
    resolution = settings.resolution and settings.algorithm != "fbp"
    named = collimator_of(projections, settings.collimator) if resolution or settings.collimator else None
    if named is not None and resolution:
        _say_penetration(named, peak)
    return prepare_reconstruction(
        projections,
        peak,
        maps,
        named if resolution else None,
        iterations=settings.iterations,
        subsets=1 if settings.algorithm in ("mlem", "fbp") else settings.subsets,
        method=_method(settings),
        post_filter_fwhm_mm=settings.post_filter_fwhm_mm,
        calibration_cps_per_mbq=settings.calibration_cps_per_mbq,
        threads=threads,
        field=field,
    )


def _method(settings: ReconstructionSettings) -> Penalised | QuickLook | None:
    if settings.algorithm == "map":
        return Penalised(settings.penalty_strength, settings.penalty_gamma, settings.passes, settings.stop_below)
    if settings.algorithm == "fbp":
        return QuickLook(Window(settings.filter, settings.filter_cutoff_per_cm, settings.filter_order))
    return None


def corrections_made(peak: PhotopeakCounts, mu: Image | None, protocol: Protocol) -> tuple[str, ...]:
    """Tell what a reconstruction corrected, in Corrected Image's terms."""
    done = [] if peak.half_life_s is None else ["DECY"]
    if mu is not None:
        done.append("ATTN")
    if peak.scatter is not None and set(peak.scatter_method.partition(",")[0].split("+")) != {"none"}:
        done.append("SCAT")
    if protocol.reconstruction.calibration_cps_per_mbq is not None:
        done.append("DCAL")
    return tuple(done)


def _say_penetration(collimator: Collimator, peak: PhotopeakCounts) -> None:
    """Say that penetration of the septa is left out, where photons of an energy above that of Tc-99m may pass them."""
    energies = peak.energies_for("resolution recovery")
    if max(energies) <= _LOW_ENERGY_KEV:
        return
    passing = [septal_penetration(collimator, energy) for energy in energies]
    parts = ", ".join(f"{100 * part:.1f} % at {energy:.0f} keV" for part, energy in zip(passing, energies, strict=True))
    name = f"{collimator.manufacturer}:{collimator.name}"
    text = (
        f"Septal penetration is left out of the response of the collimator {name}: "
        f"on the shortest way through a septum pass {parts}."
    )
    if max(passing) > _ACCEPTABLE_PENETRATION:
        text += " It is made for lower energies: expect a blur and a background that are not corrected."
    warnings.warn(text, AssumptionWarning, stacklevel=3)
