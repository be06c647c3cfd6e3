"""A phantom: shapes painted in order, activities in time, scans, and the regions a reader would draw."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, ValidationError, model_validator

from leukospect.errors import InputError, ProtocolError
from leukospect.phantoms.acquisitions import Acquisition, Camera
from leukospect.phantoms.materials import MATERIALS, METALS
from leukospect.phantoms.regions import DrawnRegion
from leukospect.phantoms.solids import Shape, Table
from leukospect.physics.nuclides import nuclide
from leukospect.resources import shipped

NO_ACTIVITY = "none"
_HOURS = {"early": 1.0, "delayed": 4.0, "late": 24.0}


class Injection(Table):
    """What was injected, how much (MBq) and when (a fictional date)."""

    nuclide: str
    compound: str
    dose_mbq: PositiveFloat
    time: datetime


class Colloid(Injection):
    """A second injection, of a colloid that stays where it went.

    `kbq_per_ml` is the concentration in each compartment, decay-corrected to its own injection; those not named hold
    none. `sensitivity_cps_per_mbq` is the camera's for its nuclide, where that is another than the first one's.
    """

    kbq_per_ml: dict[str, NonNegativeFloat]
    sensitivity_cps_per_mbq: PositiveFloat | None = None


class Compartment(Table):
    """Concentration in kBq/mL, decay-corrected to the injection: at 1, 4 and 24 h, or at the `hours` given.

    Between those times it is linear, before the first and after the last constant.
    """

    early: NonNegativeFloat | None = None
    delayed: NonNegativeFloat | None = None
    late: NonNegativeFloat | None = None
    hours: tuple[NonNegativeFloat, ...] = ()
    kbq_per_ml: tuple[NonNegativeFloat, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        named = [getattr(self, name) is not None for name in _HOURS]
        if any(named) == bool(self.hours or self.kbq_per_ml):
            raise ValueError("give some of early, delayed and late, or else hours and kbq_per_ml")
        if len(self.hours) != len(self.kbq_per_ml) or np.any(np.diff(self.hours) <= 0):
            raise ValueError("'hours' must grow, with as many values in 'kbq_per_ml'")
        return self

    def concentration_kbq_per_ml(self, hours: float) -> float:
        """Concentration at a time after the injection, decay-corrected to the injection, kBq/mL."""
        if self.hours:
            return float(np.interp(hours, self.hours, self.kbq_per_ml))
        known = [(at, getattr(self, name)) for name, at in _HOURS.items() if getattr(self, name) is not None]
        return float(np.interp(hours, [at for at, _ in known], [value for _, value in known]))


class Phantom(Table):
    """A digital phantom.

    Parameters
    ----------
    name : str
        Its file's name without the suffix.
    title, description : str
    finest_mm : float
        Upper bound of the simulated camera's own grid spacing.
    rays_per_cell : int
        Rays along each edge of a cell of that grid.
    injection, camera : Injection, Camera
    colloid : Colloid or None
        What was injected for the scans whose `tracer` is ``colloid`` or ``both``.
    compartment : dict of str to Compartment
        ``none`` is always there: no activity.
    shape : tuple of Shape
        Painted in order; a later one wins.
    acquisition : tuple of Acquisition
    region : tuple of DrawnRegion
    """

    name: str
    title: str
    description: str = ""
    finest_mm: PositiveFloat = 2.4
    rays_per_cell: int = Field(default=1, ge=1, le=8)
    injection: Injection
    camera: Camera
    colloid: Colloid | None = None
    compartment: dict[str, Compartment]
    shape: tuple[Shape, ...] = Field(min_length=1)
    acquisition: tuple[Acquisition, ...] = Field(min_length=1)
    region: tuple[DrawnRegion, ...] = ()

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for number, shape in enumerate(self.shape, start=1):
            if shape.material is not None and shape.material not in MATERIALS:
                raise ValueError(f"shape {number} is of '{shape.material}'; materials are {', '.join(MATERIALS)}")
            if shape.compartment not in (None, NO_ACTIVITY, *self.compartment):
                raise ValueError(f"shape {number} is in compartment '{shape.compartment}', which is not described")
        self._check_colloid()
        references = {region.name for region in self.region if region.role == "reference"}
        for region in self.region:
            if region.role == "lesion" and region.reference not in references:
                raise ValueError(f"region '{region.name}' is compared with '{region.reference}', which is no reference")
        if len({region.name for region in self.region}) != len(self.region):
            raise ValueError("two regions have the same name")
        return self

    def _check_colloid(self) -> None:
        with_colloid = [scan for scan in self.acquisition if scan.kind != "CT" and scan.tracer != "leukocytes"]
        if self.colloid is None:
            if with_colloid:
                raise ValueError(f"a scan counts '{with_colloid[0].tracer}', but no [colloid] is described")
            return
        unknown = [name for name in self.colloid.kbq_per_ml if name not in self.compartment]
        if unknown:
            raise ValueError(f"the colloid is in compartment '{unknown[0]}', which is not described")
        late = [scan for scan in with_colloid if scan.tracer == "both" and self.start(scan) < self.colloid.time]
        if late:
            raise ValueError("a scan of both tracers starts before the colloid is injected")

    def start(self, scan: Acquisition) -> datetime:
        """Tell when a scan starts: its hours count from the injection of what it shows, a CT's from the first one."""
        alone = scan.kind != "CT" and scan.tracer == "colloid" and self.colloid is not None
        injected = self.colloid.time if alone and self.colloid is not None else self.injection.time
        return injected + timedelta(hours=scan.hours)

    def painted_compartment(self, shape: Shape) -> str | None:
        """Name the compartment a shape paints: its own; none for metal that names none; None leaves what was there."""
        if shape.compartment is None and shape.material in METALS:
            return NO_ACTIVITY
        return shape.compartment


def _sentence(name: str, problem: dict[str, Any] | Any) -> str:
    place: Sequence[str | int] = problem["loc"]
    parts = [str(part + 1) if isinstance(part, int) else str(part) for part in place]
    if problem["type"] == "extra_forbidden":
        where = " ".join(parts[:-1])
        inside = f" in {where}" if where else ""
        return f"Phantom '{name}' has the unknown key '{parts[-1]}'{inside}; remove or correct it."
    what = str(problem["msg"]).removeprefix("Value error, ")
    return f"Phantom '{name}': {' '.join(parts) + ': ' if parts else ''}{what}."


def phantom_from_toml(text: str, name: str, *, beside: Path | None = None) -> Phantom:
    """Read a phantom from TOML text.

    A file that says ``based_on`` holds what differs from another phantom: its tables are put over that one's key by
    key, and its lists take the place of that one's.

    Parameters
    ----------
    text, name : str
    beside : Path or None
        The folder in which ``based_on`` is looked for after the phantoms that ship.

    Raises
    ------
    ProtocolError
        The text is no TOML, or a key or value in it is unknown, missing or impossible; the message names it.
    """
    content = _whole_content(text, name, beside, (name,))
    try:
        phantom = Phantom.model_validate({**content, "name": name})
    except ValidationError as error:
        raise ProtocolError(_sentence(name, error.errors()[0])) from error
    injected = [phantom.injection] if phantom.colloid is None else [phantom.injection, phantom.colloid]
    try:
        lines, *_ = [len(nuclide(one.nuclide).photons) for one in injected]
    except InputError as error:
        raise ProtocolError(f"Phantom '{name}': {error}") from error
    if len(phantom.camera.line_efficiency) not in (0, lines):
        raise ProtocolError(
            f"Phantom '{name}': camera line_efficiency has {len(phantom.camera.line_efficiency)} values, but "
            f"{phantom.injection.nuclide} has {lines} photons."
        )
    return phantom


def _whole_content(text: str, name: str, beside: Path | None, chain: tuple[str, ...]) -> dict[str, Any]:
    """Read TOML and put it over the phantom that it is based on, if it is on one."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProtocolError(f"Phantom '{name}' is not valid TOML: {error}.") from error
    if "name" in content:
        raise ProtocolError(f"Phantom '{name}' has the unknown key 'name'; its file's name is its name.")
    if "based_on" not in content:
        return content
    base = str(content.pop("based_on"))
    if base in chain:
        raise ProtocolError(f"Phantom '{name}' is based on itself: {' on '.join((*chain, base))}.")
    path = shipped("phantoms").get(base) or (None if beside is None else beside / f"{base}.toml")
    if path is None or not path.is_file():
        raise ProtocolError(f"Phantom '{name}' is based on '{base}', which is not there.")
    below = _whole_content(path.read_text(encoding="utf-8"), base, path.parent, (*chain, base))
    for key, value in content.items():
        below[key] = {**below[key], **value} if isinstance(value, dict) and key in below else value
    return below


def read_phantom(path_or_name: str | Path) -> Phantom:
    """Read a phantom by the name of one that ships with the program, or from a TOML file.

    Raises
    ------
    InputError
        There is neither such a phantom nor such a file.
    ProtocolError
        The file is not a valid phantom; the message names the key.
    """
    known = shipped("phantoms")
    path = known.get(str(path_or_name), Path(path_or_name))
    if not path.is_file():
        raise InputError(f"There is no phantom or file '{path.name}'; the phantoms are {', '.join(known)}.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"Phantom '{path.stem}' is not a text file.") from error
    return phantom_from_toml(text, path.stem, beside=path.parent)
