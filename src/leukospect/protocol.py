"""The configuration of a run: strict, frozen, with units in the names; a TOML file a protocol."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leukospect.errors import ProtocolError
from leukospect.resources import shipped


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ReconstructionSettings(_Section):
    """The algorithm and its corrections; k is the dual-energy-window factor (Jaszczak 1984: 0.47, Kupitz 2021: 0.18).

    ``mlem`` is OSEM with one subset. `passes`, `stop_below` and the penalty are those of ``map`` (see `penalised`), the
    filter is that of ``fbp`` (see `filtered_backprojection`). `objective` records the objective of every pass.
    """

    algorithm: Literal["osem", "mlem", "map", "fbp"] = "osem"
    iterations: int = Field(5, ge=1, le=1000)
    subsets: int = Field(15, ge=1, le=1000)
    passes: int = Field(15, ge=5, le=1000)
    stop_below: float = Field(0.0, ge=0, lt=1)
    penalty_strength: float = Field(0.005, ge=0, le=1000)
    penalty_gamma: float = Field(2.0, ge=0, le=1000)
    filter: Literal["butterworth", "hann", "ramp"] = "butterworth"
    filter_cutoff_per_cm: float = Field(0.45, gt=0, le=100)
    filter_order: float = Field(5.0, gt=0, le=100)
    objective: bool = False
    resolution: bool = True
    collimator: str = ""
    scatter: Literal["auto", "tew", "dew", "none"] = "auto"
    scatter_k: float = Field(0.47, gt=0, le=2)
    scatter_smoothing_fwhm_mm: float = Field(45.0, ge=0, le=200)
    post_filter_fwhm_mm: float = Field(0.0, ge=0, le=100)
    calibration_cps_per_mbq: float | None = Field(None, ge=0.01, le=1e5)


class AttenuationSettings(_Section):
    """From CT to the attenuation map; `coherent_counted` leaves coherent scattering out of its coefficients.

    `effective_mu` takes effective coefficients, with scatter left in the counts, in place of scatter correction.
    The map is smoothed by 8 mm: simulated without noise, with this program's own response on 2.4 mm voxels, 5 x 15,
    uptake in cortical bone beside an 11 mm nail of known coefficients reads -1.7 % without metal, +0.3 % with
    titanium and +4.9 % with steel; -1.1, +0.4 and +3.7 % without smoothing; -4.4, -2.3 and +3.8 % by 20 mm, where
    the nail's own place loses a quarter to half of its counts. For dense rods 18 to 22 mm were published as best
    (PMC10501997); with the metal's own coefficient that was not seen here.
    Metal attenuates as `metal_material`, or ``as-scanned`` by its CT numbers, which say little about it. Contrast agent
    is told, and mapped like water only where `contrast_as_water` asks for it: bone mistaken for it would lose more than
    contrast agent left in adds. The couch attenuates in the SPECT, too, so it is kept. `assumed_kvp` is taken where the
    CT records no tube voltage, or where its numbers are not of the tube's spectrum.
    """

    enabled: bool = True
    smoothing_fwhm_mm: float = Field(8.0, ge=0, le=50)
    coherent_counted: bool = True
    effective_mu: bool = False
    hu_table: Literal["scanner", "icru-bone"] = "scanner"
    metal_material: Literal["titanium_alloy", "titanium", "cobalt_chrome", "steel_316l", "as-scanned"] = (
        "titanium_alloy"
    )
    contrast_as_water: bool = False
    couch: Literal["keep", "remove"] = "keep"
    assumed_kvp: float | None = Field(None, ge=80, le=140)


class MetalSettings(_Section):
    """CT metal artefact reduction; see `leukospect.ct.metal` for the methods and the threshold.

    `show_effect` reconstructs the SPECT with the CT as scanned as well, to compare.
    """

    enabled: bool = True
    show_effect: bool = True
    method: Literal["adaptive", "linear", "normalised", "frequency-split", "trace-model"] = "adaptive"
    threshold_hu: float | None = Field(None, ge=1000, le=30000)


class RegistrationSettings(_Section):
    """Rigid registration of SPECT to CT, and of the times to each other.

    What exceeds the limits, of the body centre's shift and of the angle, is not believed. Between times the patient got
    up: CT is registered to CT, and planar to planar, within wider limits. `sensitivity` moves the attenuation map and
    the regions by a pixel and two degrees, to tell what that changes.
    """

    enabled: bool = True
    maximum_shift_mm: float = Field(60.0, gt=0, le=200)
    maximum_rotation_deg: float = Field(30.0, gt=0, le=90)
    between_times_maximum_shift_mm: float = Field(120.0, gt=0, le=300)
    between_times_maximum_rotation_deg: float = Field(30.0, gt=0, le=90)
    sensitivity: bool = True


class RegionSettings(_Section):
    """How lesions are found where no regions are given; see `quantification.lesions`.

    `false_discovery_rate` is the part of noise that is allowed among the foci found. Of more than `maximum_lesions` the
    hottest are measured. `noise_draws` reconstructions of counts drawn anew tell the noise; without any, or without
    counts, it is estimated from the image.
    """

    relative_threshold: float = Field(0.4, gt=0, lt=1)
    false_discovery_rate: float = Field(0.001, gt=0, lt=1)
    minimum_contrast: float = Field(1.5, ge=1, le=100)
    minimum_volume_ml: float = Field(1.0, ge=0)
    maximum_lesions: int = Field(20, ge=1, le=100)
    noise_draws: int = Field(3, ge=0, le=100)


class PlanarSettings(_Section):
    """Planar views: uptake above a background is measured beside the uptake itself, which the rules take.

    `background` is ``none``, ``ring`` (10 to 25 mm around each region) or the name of a drawn region.
    """

    background: str = Field("none", min_length=1, max_length=64)


class UncertaintySettings(_Section):
    """Poisson resampling of the measured projections, scatter windows too, through the reconstruction."""

    replicates: int = Field(50, ge=0, le=10000)
    seed: int = Field(20260105, ge=0)


class TimePointSettings(_Section):
    """Hours after injection at which a later time point begins: early before `delayed_from_hours`, and so on."""

    delayed_from_hours: float = Field(2.0, gt=0)
    late_from_hours: float = Field(12.0, gt=0)


class Protocol(_Section):
    """A whole protocol.

    Parameters
    ----------
    name, description : str
    nuclide : str or None
        What the acquisitions must hold; None takes what they record.
    sum_frames : bool
        Gated and dynamic acquisitions are taken as the sum of their gates or time frames; otherwise they are left out.
    rule : str
        Name of the rule that turns the measurement into a flag.
    """

    name: str
    description: str = ""
    nuclide: str | None = None
    sum_frames: bool = False
    rule: str = "visual-increase"
    reconstruction: ReconstructionSettings = ReconstructionSettings()
    attenuation: AttenuationSettings = AttenuationSettings()
    metal: MetalSettings = MetalSettings()
    registration: RegistrationSettings = RegistrationSettings()
    regions: RegionSettings = RegionSettings()
    planar: PlanarSettings = PlanarSettings()
    uncertainty: UncertaintySettings = UncertaintySettings()
    time_points: TimePointSettings = TimePointSettings()

    def time_point(self, hours: float) -> Literal["early", "delayed", "late"]:
        """Name the time point of an acquisition by hours after injection."""
        if hours < self.time_points.delayed_from_hours:
            return "early"
        return "delayed" if hours < self.time_points.late_from_hours else "late"


def _value_of(text: str) -> Any:
    """Read the right side of ``section.key=value`` as TOML, and as a plain word where that fails."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _override(document: dict[str, Any], setting: str) -> None:
    name, equals, text = setting.partition("=")
    parts = name.strip().split(".")
    if not equals or not all(parts):
        raise ProtocolError(f"The setting '{setting}' is not of the form section.key=value.")
    place = document
    for part in parts[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise ProtocolError(f"The setting '{name.strip()}' names a section that is a value.")
    place[parts[-1]] = _value_of(text.strip())


OPTIONS = "The options"


def load_protocol(name_or_file: str, settings: Sequence[str] = ()) -> Protocol:
    """Load a protocol by the name of one that ships, or from a TOML file, and apply ``section.key=value`` settings.

    Raises
    ------
    ProtocolError
        No such protocol, not valid TOML, an unknown key, or a value out of range; the message names the key.
    """
    known = shipped("pipelines")
    path = known.get(name_or_file, Path(name_or_file))
    if not path.is_file():
        names = ", ".join(known)
        raise ProtocolError(f"There is no protocol '{name_or_file}'; known are {names}, or give a TOML file.")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"The protocol '{name_or_file}' is not valid TOML: {error}.") from error
    for setting in settings:
        _override(document, setting)
    return protocol_of(document, f"The protocol '{name_or_file}'")


def protocol_of(document: dict[str, Any], what: str = OPTIONS) -> Protocol:
    """Make a protocol of plain values; an unknown key or a value out of range is a ProtocolError that names it."""
    try:
        protocol = Protocol.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ProtocolError(f"{what}: '{where}' is not known; remove or correct it.") from error
        if what == OPTIONS:
            where = "--" + where.rpartition(".")[2].replace("_", "-")
        raise ProtocolError(f"{what}: wrong value at '{where}': {first['msg']}.") from error
    if protocol.attenuation.effective_mu and protocol.reconstruction.scatter in ("tew", "dew"):
        raise ProtocolError(
            f"{what}: effective attenuation coefficients (--effective-mu, attenuation.effective_mu) stand in for "
            f"scatter correction, which is asked for by {protocol.reconstruction.scatter}; leave one of them out."
        )
    return protocol
