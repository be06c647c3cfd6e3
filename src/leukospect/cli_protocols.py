"""From the options of a command to the protocol it runs."""

from __future__ import annotations

import argparse

from leukospect.errors import InputError
from leukospect.protocol import Protocol, load_protocol, protocol_of


def recon_protocol(options: argparse.Namespace) -> Protocol:
    """Make the protocol of `recon`; options that contradict each other are refused."""
    if options.ct is None and options.mu is None and options.effective_mu:
        raise InputError("--effective-mu works on the attenuation map of a CT; give it with --ct.")
    if options.ct is None and (options.mar or options.register):
        raise InputError("--mar and --register work on a CT; give it with --ct.")
    if options.ct is None and (options.metal_material or options.assumed_kvp is not None):
        raise InputError("--metal-material and --assumed-kvp tell of a CT; give it with --ct.")
    told = {"metal_material": options.metal_material, "assumed_kvp": options.assumed_kvp}
    return protocol_of(
        {
            "name": "recon",
            "nuclide": options.nuclide,
            "sum_frames": options.sum_frames,
            "reconstruction": {
                "algorithm": options.algorithm,
                "iterations": options.iterations,
                "subsets": options.subsets,
                "passes": options.passes,
                "penalty_strength": options.penalty_strength,
                "objective": options.objective,
                "resolution": not options.no_resolution,
                "collimator": options.collimator,
                "scatter": options.scatter,
                "post_filter_fwhm_mm": options.post_filter_fwhm_mm,
                "calibration_cps_per_mbq": options.calibration_cps_per_mbq,
            },
            "attenuation": {
                "effective_mu": options.effective_mu,
                **{name: value for name, value in told.items() if value is not None},
            },
            "metal": {"enabled": options.mar},
            "registration": {"enabled": options.register},
        }
    )


def calibration_protocol(options: argparse.Namespace) -> Protocol:
    """Make the protocol of `calibrate`."""
    return protocol_of(
        {
            "name": "calibrate",
            "nuclide": options.nuclide,
            "reconstruction": {
                "iterations": options.iterations,
                "subsets": options.subsets,
                "resolution": not options.no_resolution,
                "collimator": options.collimator,
                "scatter": options.scatter,
            },
            "metal": {"enabled": False},
            "registration": {"enabled": False},
        }
    )


def protocol_with_settings(options: argparse.Namespace) -> Protocol:
    """Load the protocol of `run` and `batch` with the settings of the command line."""
    return load_protocol(options.protocol, _settings(options))


def _settings(options: argparse.Namespace) -> list[str]:
    """Give the settings of the command line; an option of its own is one more setting."""
    shortcuts = {
        "sum_frames": "true" if options.sum_frames else "",
        "nuclide": options.nuclide or "",
        "reconstruction.collimator": options.collimator,
        "reconstruction.resolution": "false" if options.no_resolution else "",
    }
    return [*options.settings, *(f"{key}={value}" for key, value in shortcuts.items() if value)]
