"""Digital phantoms: their description, and the simulation of their scans."""

from leukospect.phantoms.description import Phantom, phantom_from_toml, read_phantom
from leukospect.phantoms.maps import attenuation_map, concentration_map, filling_map
from leukospect.phantoms.regions import regions_toml
from leukospect.phantoms.simulate import SimulatedStudy, simulate_study

__all__ = [
    "Phantom",
    "SimulatedStudy",
    "attenuation_map",
    "concentration_map",
    "filling_map",
    "phantom_from_toml",
    "read_phantom",
    "regions_toml",
    "simulate_study",
]
