"""Metal in the CT and what it does to the uptake beside it: SPECT of digital implants, whose true attenuation is known.

Counts come from the phantom's own gamma camera, without noise, attenuated by the whole implant; the CT from its own
scanner, with noise and every artefact that metal makes there. The same counts are reconstructed with the true map,
brought to SPECT's resolution as any map is; as the program does, with the CT's metal reduced; with the CT as scanned;
and with the map of a CT of the same body without metal, in which the metal's true attenuation is put. Bias is that of
the mean uptake in a volume relative to the true map's, so that neither resolution nor scatter counts; what the last map
leaves is no fault of the metal but of turning CT numbers into coefficients.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.metal_results import Target
from leukospect.benchmark.metal_spect_cases import CASES, SpectCase
from leukospect.benchmark.metal_spect_volumes import metal_fillings, periprosthetic_volumes
from leukospect.ct.attenuation_map import completed_along_axis, smooth_to_resolution
from leukospect.data import CtSeries, Geometry, Image, Projections
from leukospect.errors import AssumptionWarning, ProtocolError
from leukospect.phantoms import Phantom, attenuation_map, simulate_study
from leukospect.phantoms.acquisitions import CtAcquisition
from leukospect.phantoms.materials import METALS, linear_attenuation_per_cm, photopeak_attenuation_per_cm
from leukospect.physics.attenuation import hu_to_mu
from leukospect.pipeline import reconstruct_spect
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import Protocol, load_protocol
from leukospect.registration import resample

Progress = Callable[[str, float], None]

MOST_BIAS = 0.02
_PROTOCOL, _ENERGY_KEV = "tc99m-hmpao-spect-ct", 140.511
_ALIKE = ("registration.enabled=false", "attenuation.hu_table=icru-bone")
_TISSUE_PER_CM = 0.05
_LEAST_OF_MAXIMUM = 0.02


@dataclass(frozen=True, slots=True)
class SpectSettings:
    """What is done."""

    cases: tuple[SpectCase, ...] = CASES
    seed: int = 1


@dataclass(frozen=True, slots=True)
class SpectBias:
    """Bias of the mean uptake of one volume, relative to the reconstruction with the true map: 0.02 is 2 % too much.

    Parameters
    ----------
    phantom, volume : str
    volume_ml : float
    before, after : float
        With the CT as scanned, and with its metal reduced.
    without_metal : float
        With a CT that no metal disturbs, and the metal's true attenuation.
    without : float
        Without attenuation correction.
    """

    phantom: str
    volume: str
    volume_ml: float
    before: float
    after: float
    without_metal: float
    without: float

    def row(self) -> dict[str, str | float]:
        """Give it as one flat row."""
        made: dict[str, str | float] = asdict(self)
        return made | {"before_from_metal": self.before_from_metal, "after_from_metal": self.after_from_metal}

    @property
    def before_from_metal(self) -> float:
        """What the CT's metal adds to the bias, as scanned."""
        return (1.0 + self.before) / (1.0 + self.without_metal) - 1.0

    @property
    def after_from_metal(self) -> float:
        """What the CT's metal adds to the bias, reduced."""
        return (1.0 + self.after) / (1.0 + self.without_metal) - 1.0


@dataclass(frozen=True, slots=True, eq=False)
class SpectPicture:
    """The slice with most metal of one phantom: maps in 1/cm and changes of uptake, (rows, columns).

    `maps` are the true one, that of the CT as scanned and of the metal-reduced one; `biases` the relative changes of
    uptake with the last two, NaN where there is hardly any; `metal` how much of each pixel the implant fills.
    """

    phantom: str
    maps: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    biases: tuple[NDArray[np.float32], NDArray[np.float32]]
    metal: NDArray[np.float32]
    pixel_mm: tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class SpectFound:
    """What was found: every bias, pictures, and what the program had to assume."""

    biases: tuple[SpectBias, ...]
    pictures: tuple[SpectPicture, ...]
    assumptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Reconstructed:
    """The same counts with the true map, the CT as scanned, its metal reduced, a CT without metal, and no map."""

    truth: Image
    scanned: Image
    reduced: Image
    without_metal: Image
    none: Image
    maps: tuple[Image, Image, Image]


def study_periprosthetic(
    settings: SpectSettings | None = None, *, threads: int | None = None, progress: Progress | None = None
) -> SpectFound:
    """Simulate each phantom's late SPECT and CT, reconstruct with each map, and measure the volumes beside the metal.

    Parameters
    ----------
    settings : SpectSettings or None
    threads : int or None
        The result does not depend on it.
    progress : function of a stage's name and the fraction of it done, or None
    """
    chosen, tell = settings or SpectSettings(), progress or (lambda stage, fraction: None)
    biases: list[SpectBias] = []
    pictures: list[SpectPicture] = []
    texts: list[str] = []
    for number, case in enumerate(chosen.cases):
        tell("SPECT beside metal", number / len(chosen.cases))
        phantom = case.drawn()
        protocol = load_protocol(_PROTOCOL, [*_ALIKE, f"attenuation.metal_material={case.metal_material}"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AssumptionWarning)
            made = _reconstructed(phantom, protocol, chosen.seed, threads, progress)
        texts += [str(one.message) for one in caught if issubclass(one.category, AssumptionWarning)]
        metal, volumes = periprosthetic_volumes(phantom, made.truth.geometry)
        for volume, part in volumes.items():
            means = [
                _mean(image, part) for image in (made.truth, made.scanned, made.reduced, made.without_metal, made.none)
            ]
            before, after, undisturbed, without = (mean / means[0] - 1.0 for mean in means[1:])
            size = float(part.sum()) * made.truth.geometry.voxel_volume_ml
            biases.append(SpectBias(case.name, volume, size, before, after, undisturbed, without))
        pictures.append(_picture(case.name, made, metal))
    tell("SPECT beside metal", 1.0)
    return SpectFound(tuple(biases), tuple(pictures), tuple(dict.fromkeys(texts)))


def judged_periprosthetic(found: SpectFound) -> tuple[Target, ...]:
    """Compare the biases with what is asked: at most 2 % from the CT's metal after, whatever it was before."""
    targets = []
    for phantom in dict.fromkeys(one.phantom for one in found.biases):
        of = [one for one in found.biases if one.phantom == phantom]
        from_metal = [
            max(((one.before_from_metal, one.volume) for one in of), key=lambda pair: abs(pair[0])),
            max(((one.after_from_metal, one.volume) for one in of), key=lambda pair: abs(pair[0])),
        ]
        in_all = [max((one.before for one in of), key=abs), max((one.after for one in of), key=abs)]
        asked = f"SPECT of {phantom}: bias from the CT's metal in every volume beside it <= {MOST_BIAS:.0%} after"
        told = ", ".join(
            f"{100 * b:+.1f}% {when} ({v})" for when, (b, v) in zip(("before", "after"), from_metal, strict=True)
        )
        targets.append(Target(asked, told, abs(from_metal[1][0]) <= MOST_BIAS))
        told = f"{100 * in_all[0]:+.1f}% before, {100 * in_all[1]:+.1f}% after"
        targets.append(Target(f"SPECT of {phantom}: worst bias relative to the true map", told, None))
    return tuple(targets)


def _reconstructed(
    phantom: Phantom, protocol: Protocol, seed: int, threads: int | None, progress: Progress | None
) -> _Reconstructed:
    def report(stage: str, fraction: float) -> None:
        if progress is not None:
            progress(f"{phantom.name}: {stage}", fraction)

    study = simulate_study(phantom, seed=seed, threads=threads, progress=report)
    [(projections, counts)] = [
        (one, mean)
        for one, mean in zip(study.study.acquisitions, study.expected, strict=True)
        if isinstance(one, Projections) and mean is not None
    ]
    projections = replace(projections, counts=counts)
    [ct] = [one for one in study.study.acquisitions if isinstance(one, CtSeries)]
    made = reconstruct_spect(projections, ct, protocol, threads=threads, progress=report)
    onto = reconstruction_geometry(projections)
    truth, undisturbed = (
        reconstruct_spect(projections, None, protocol, mu=mu, threads=threads, progress=report)
        for mu in (
            true_map(phantom, ct.image.geometry, onto, protocol),
            map_without_artefacts(phantom, onto, protocol, seed, threads),
        )
    )
    if made.as_scanned is None or made.mu_map is None or truth.mu_map is None or made.recon_nac is None:
        raise ProtocolError(f"Phantom '{phantom.name}': no metal was found in its CT, so there is nothing to compare.")
    maps = (truth.mu_map, made.as_scanned.mu_map, made.mu_map)
    return _Reconstructed(
        truth.recon, made.as_scanned.recon, made.recon, undisturbed.recon, made.recon_nac, maps
    )  # fmt: skip


def true_map(phantom: Phantom, ct: Geometry, onto: Geometry, protocol: Protocol) -> Image:
    """Give the phantom's own attenuation map, metal and all, smoothed and resampled as that of a CT is, 1/cm.

    Parameters
    ----------
    phantom : Phantom
    ct : Geometry
        Grid of the CT, on which the map is made.
    onto : Geometry
        Grid of the reconstruction.
    protocol : Protocol
        Tells the smoothing, and whether the photopeak counts coherent scatter.
    """
    counted = protocol.attenuation.coherent_counted
    return _on_spect(attenuation_map(phantom, _ENERGY_KEV, ct, 2, coherent_counted=counted), onto, protocol)


def map_without_artefacts(
    phantom: Phantom, onto: Geometry, protocol: Protocol, seed: int = 0, threads: int | None = None
) -> Image:
    """Scan the body without its metal, turn the CT into a map as the program does, and put the true metal into it.

    Parameters
    ----------
    phantom : Phantom
    onto : Geometry
        Grid of the reconstruction.
    protocol : Protocol
    seed : int
        Of the CT's noise.
    threads : int or None
    """
    bare = phantom.model_copy(
        update={
            "shape": tuple(shape for shape in phantom.shape if shape.material not in METALS),
            "acquisition": tuple(scan for scan in phantom.acquisition if isinstance(scan, CtAcquisition)),
        }
    )
    [ct] = [one for one in simulate_study(bare, seed, threads=threads).study.acquisitions if isinstance(one, CtSeries)]
    chosen, grid = protocol.attenuation, ct.image.geometry
    hu = np.asarray(ct.image.array, np.float32)
    mu = hu_to_mu(hu, ct.kvp, _ENERGY_KEV, chosen.hu_table, coherent_counted=chosen.coherent_counted)
    for material, filled in metal_fillings(phantom, grid).items():
        mu *= np.float32(1.0) - filled
        mu += filled * np.float32(_coefficient(material, coherent_counted=chosen.coherent_counted))
    return _on_spect(Image(mu, grid, "1/cm"), onto, protocol)


def _coefficient(material: str, *, coherent_counted: bool) -> float:
    if coherent_counted:
        return photopeak_attenuation_per_cm(material, _ENERGY_KEV)
    return float(linear_attenuation_per_cm(material, _ENERGY_KEV))


def _on_spect(mu: Image, onto: Geometry, protocol: Protocol) -> Image:
    smooth = smooth_to_resolution(mu, protocol.attenuation.smoothing_fwhm_mm)
    return completed_along_axis(resample(smooth, onto, anti_alias=False), smooth)


def _mean(image: Image, part: NDArray[np.float32]) -> float:
    return float((np.asarray(image.array, np.float64) * part).sum() / part.sum(dtype=np.float64))


def _picture(name: str, made: _Reconstructed, metal: NDArray[np.float32]) -> SpectPicture:
    k = int(np.argmax(metal.sum(axis=(1, 2))))
    true, scanned, reduced = (np.asarray(each.array[k], np.float32) for each in made.maps)
    uptake = np.asarray(made.truth.array[k], np.float32)
    worth = (true > _TISSUE_PER_CM) & (uptake > _LEAST_OF_MAXIMUM * float(uptake.max()))

    def bias(image: Image) -> NDArray[np.float32]:
        values = np.full(uptake.shape, np.nan, np.float32)
        values[worth] = np.asarray(image.array[k], np.float32)[worth] / uptake[worth] - 1.0
        return values

    pixel = made.truth.geometry.spacing_mm[1:]
    return SpectPicture(name, (true, scanned, reduced), (bias(made.scanned), bias(made.reduced)), metal[k], pixel)
