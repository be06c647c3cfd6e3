"""Effective attenuation coefficients in place of scatter correction: what is scaled, left out, said and refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukospect.data import AcquisitionHeader, CtSeries, EnergyWindow, Geometry, Image, Projections, Radiopharmaceutical
from leukospect.errors import AssumptionWarning, InputError, ProtocolError
from leukospect.photopeaks import photopeak_counts
from leukospect.physics.attenuation import effective_mu_ratio, has_effective_mu
from leukospect.pipeline import reconstruct_spect
from leukospect.protocol import load_protocol
from tests.command_line import leukospect, volume
from tests.spot_acquisition import acquisition, orbit

FAST = ("--iterations", 1, "--subsets", 6)
EFFECTIVE = ["attenuation.effective_mu=true", "reconstruction.resolution=false", "metal.enabled=false",
             "registration.enabled=false", "reconstruction.subsets=4", "reconstruction.iterations=1"]  # fmt: skip


def cold(windows: tuple[EnergyWindow, ...], nuclide: str) -> tuple[Projections, CtSeries]:
    """An acquisition of even counts, and a CT of a water cylinder around its axis."""
    angles = orbit(0.0, "CC", 8)
    made = acquisition(angles, (6, 16), (10.0, 12.0), counts=np.ones((len(windows), 8, 6, 16)), windows=windows)
    made = replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical(nuclide)))
    grid = Geometry.axial((12, 60, 60), (6.0, 4.0, 4.0), (-118.0, -118.0, -58.0), "1.2.3")
    _, j, i = np.indices(grid.shape)
    hu = np.where(np.hypot(i - 29.5, j - 29.5) < 20, 0, -1000).astype(np.int16)
    return made, CtSeries(Image(hu, grid, "HU"), AcquisitionHeader("CT", frame_of_reference_uid="1.2.3"), 120.0)


TC_ALONE, TC_LOWER = EnergyWindow(((126.0, 154.0),)), EnergyWindow(((114.0, 126.0),))
IN_WINDOWS = (EnergyWindow(((154.0, 188.0),)), EnergyWindow(((221.0, 270.0),)))


@pytest.mark.parametrize(("counted", "water"), [(False, 0.1536), (True, 0.1536 - 0.00277)])
def test_water_is_012_however_the_map_is_made(counted: bool, water: float) -> None:
    assert effective_mu_ratio(140.511, coherent_counted=counted) * water == pytest.approx(0.12)


def test_indium_has_no_effective_coefficient() -> None:
    assert has_effective_mu(140.5)
    for energy in (171.28, 245.35):
        assert not has_effective_mu(energy)
        with pytest.raises(InputError, match=f"tabulated for {energy:.0f} keV; leave --effective-mu"):
            effective_mu_ratio(energy)


@pytest.mark.parametrize("counted", ["true", "false"])
def test_the_map_is_scaled_and_scatter_left_in_the_counts(counted: str) -> None:
    projections, ct = cold((TC_ALONE, TC_LOWER), "Tc-99m")
    protocol = load_protocol("tc99m-hmpao-spect-ct", [*EFFECTIVE, f"attenuation.coherent_counted={counted}"])
    with pytest.warns(AssumptionWarning, match=r"effective coefficients \(water 0\.12 1/cm\) and scatter is left in"):
        result = reconstruct_spect(projections, ct, protocol, threads=1)
    assert result.mu_map is not None
    assert float(result.mu_map.array[3, 8, 8]) == pytest.approx(0.12, rel=1e-3)
    assert "ATTN" in result.corrections
    assert "SCAT" not in result.corrections
    assert result.counts is not None
    assert result.counts.peak.scatter is None


def test_without_a_ct_scatter_is_corrected_as_usual() -> None:
    projections, _ = cold((TC_ALONE, TC_LOWER), "Tc-99m")
    result = reconstruct_spect(projections, None, load_protocol("tc99m-hmpao-spect-ct", EFFECTIVE), threads=1)
    assert "SCAT" in result.corrections


def test_indium_is_refused_before_anything_is_reconstructed() -> None:
    projections, ct = cold(IN_WINDOWS, "In-111")
    with pytest.raises(InputError, match="No effective attenuation coefficient is tabulated for 171 keV"):
        reconstruct_spect(projections, ct, load_protocol("in111-oxine-spect-ct", EFFECTIVE), threads=1)


def test_missing_scatter_windows_point_to_it_where_it_exists() -> None:
    with pytest.warns(AssumptionWarning, match=r"reads too high; with a CT, --effective-mu \(attenuation"):
        photopeak_counts(cold((TC_ALONE,), "Tc-99m")[0])
    with pytest.warns(AssumptionWarning, match=r"reads too high\.$"):
        photopeak_counts(cold(IN_WINDOWS, "In-111")[0])


@pytest.mark.parametrize("method", ["tew", "dew"])
def test_both_at_once_are_refused(method: str) -> None:
    with pytest.raises(ProtocolError, match=f"stand in for scatter correction, which is asked for by {method}"):
        load_protocol("tc99m-hmpao-spect-ct", ["attenuation.effective_mu=true", f"reconstruction.scatter={method}"])


def test_the_command(small_spect: Path, small_ct: Path, tmp_path: Path) -> None:
    maps = []
    for number, option in enumerate(((), ("--effective-mu",))):
        out = tmp_path / str(number)
        said = leukospect("recon", small_spect, "--ct", small_ct, *FAST, *option, "--no-resolution", "-o", out)
        assert said.code == 0, said.stderr
        maps.append(volume(out / "mu_map.nii.gz").array)
        assert ("effective coefficients" in said.stderr) == bool(option)
    inside = maps[0] > 0.1
    np.testing.assert_allclose((maps[1] / np.where(inside, maps[0], 1))[inside], 0.12 / 0.15083, rtol=1e-3)
    provenance = json.loads((tmp_path / "1" / "provenance.json").read_text())
    assert provenance["settings"]["attenuation"]["effective_mu"] is True


def test_the_command_refuses_what_contradicts_it(small_spect: Path, small_ct: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    leukospect("recon", small_spect, "--ct", small_ct, *FAST, "--no-resolution", "-o", tmp_path / "plain")
    mu = tmp_path / "plain" / "mu_map.nii.gz"
    for options, sentence in (
        (("--ct", small_ct, "--scatter", "tew"), "asked for by tew"),
        ((), "give it with --ct"),
        (("--mu", mu), "given with --mu is used as it is"),
    ):
        said = leukospect("recon", small_spect, *options, "--effective-mu", *FAST, "--no-resolution", "-o", out)
        assert said.code == 3
        assert sentence in said.stderr
        assert said.stderr.count("\n") == 1
        assert not out.exists()
