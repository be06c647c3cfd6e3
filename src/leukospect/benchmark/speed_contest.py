"""What a contestant of the speed benchmark is asked, and what it answers; who they are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leukospect.benchmark.speed_case import SpeedCase

Corrections = Literal["none", "attenuation", "all"]
Within = Literal["body", "field"]

CORRECTIONS: dict[Corrections, str] = {
    "none": "none",
    "attenuation": "attenuation, scatter",
    "all": "attenuation, scatter, response",
}
"""What each name stands for; scatter is a known term of the forward model."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reconstruct.

    Parameters
    ----------
    corrections : Corrections
    within : Within
        Only the body's places, or all that the detector sees; contestants that know no support take the field.
    threads, iterations, subsets : int
    """

    corrections: Corrections
    within: Within
    threads: int
    iterations: int = 5
    subsets: int = 15


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """A reconstruction and how long it took.

    Parameters
    ----------
    image : (slices, rows, columns) float32 array
        Counts of a voxel in a view without attenuation; on the case's grid.
    seconds : float
        From counts and map in memory to the image: the model, sensitivity images and all updates.
    building_s : float
        Of that, what depends on the geometry only and could be kept for the next patient; 0 where nothing is kept.
    """

    image: NDArray[np.float32]
    seconds: float
    building_s: float = 0.0


Reconstruct = Callable[[SpeedCase, Settings], Timed]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A reconstruction that takes part.

    Parameters
    ----------
    name : str
    module : str
        Where its `reconstruct` is.
    distribution : str or None
        What must be installed; None where nothing more is needed.
    corrections : tuple of Corrections
        What it can model.
    supports : tuple of Within
    single_threaded : bool
    """

    name: str
    module: str
    distribution: str | None
    corrections: tuple[Corrections, ...]
    supports: tuple[Within, ...]
    single_threaded: bool = False

    @property
    def installed_version(self) -> str | None:
        """Version that is installed; empty where nothing more is needed, None where it is missing."""
        if self.distribution is None:
            return ""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return None

    def driver(self) -> Reconstruct:
        """Load its driver."""
        reconstruct: Reconstruct = importlib.import_module(self.module).reconstruct
        return reconstruct


_DRIVERS = "leukospect.benchmark"
OURS = Contestant("leukospect", f"{_DRIVERS}.speed_ours", None, ("none", "attenuation", "all"), ("body", "field"))
RIVALS = (
    Contestant("sparse matrix", f"{_DRIVERS}.rivals.sparse_matrix", None, ("none",), ("body", "field"), True),
    Contestant(
        "PyTomography",
        f"{_DRIVERS}.rivals.pytomography",
        "pytomography",
        ("none", "attenuation", "all"),
        ("field",),
    ),
    Contestant("MIRTorch", f"{_DRIVERS}.rivals.mirtorch", "mirtorch", ("none", "attenuation", "all"), ("field",)),
)
CONTESTANTS = {one.name: one for one in (OURS, *RIVALS)}
