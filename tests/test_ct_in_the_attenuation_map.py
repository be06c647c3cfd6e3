"""What a protocol makes of a CT's metal, contrast agent, couch and edge on the way to the attenuation map."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import dcmread

from leukospect.ct_stages import attenuation_maps_for, metal_of_ct, mu_maps_for
from leukospect.data import AcquisitionHeader, CtSeries, EnergyWindow, Geometry, Image, Projections, Radiopharmaceutical
from leukospect.dicom.read.ct import read_ct
from leukospect.errors import AssumptionWarning, MissingInformationError
from leukospect.photopeaks import PhotopeakCounts, photopeak_counts
from leukospect.physics.attenuation import metal_mu_per_cm, water_mu_per_cm
from leukospect.projector import reconstruction_geometry
from leukospect.protocol import Protocol, load_protocol
from leukospect.spect_study import attenuation_map
from tests.command_line import leukospect
from tests.spot_acquisition import acquisition, orbit

GRID = Geometry.axial((34, 110, 120), (6.0, 2.0, 2.1), (-122.0, -101.0, -99.0), "1.2.3")
TC, IN_LOW, IN_HIGH = 140.511, 171.28, 245.35


def spect(nuclide: str = "Tc-99m") -> tuple[Projections, PhotopeakCounts]:
    ranges = {"Tc-99m": ((126.0, 154.0),), "In-111": ((154.0, 188.0), (221.0, 270.0))}[nuclide]
    windows = tuple(EnergyWindow((limits,)) for limits in ranges)
    made = acquisition(
        orbit(0.0, "CC", 8), (10, 32), (6.0, 8.0), counts=np.ones((len(windows), 8, 10, 32)), windows=windows
    )
    made = replace(made, header=replace(made.header, radiopharmaceutical=Radiopharmaceutical(nuclide)))
    return made, photopeak_counts(made, scatter="none")


def places() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points = GRID.to_lps(np.moveaxis(np.indices(GRID.shape), 0, -1))
    return points[..., 0], points[..., 1]


def ct_of(metal_hu: float | None = None, pool_hu: float | None = None, *, couch: bool = False) -> CtSeries:
    x, y = places()
    hu = np.where((x / 95) ** 2 + (y / 70) ** 2 < 1, 20.0, -1000.0)
    if metal_hu is not None:
        inside = np.hypot(x - 40, y + 10) < 9
        hu[inside] = metal_hu + (metal_hu > 3071) * np.random.default_rng(7).normal(0, 60, np.count_nonzero(inside))
    if pool_hu is not None:
        hu[np.hypot(x + 45, y - 5) < 17] = pool_hu
    if couch:
        hu[(np.abs(y - 90) < 3) & (np.abs(x) < 100)] = 60.0
    header = AcquisitionHeader("CT", frame_of_reference_uid="1.2.3")
    return CtSeries(Image(hu.astype(np.int16), GRID, "HU"), header, 120.0, "Br38f")


def protocol(*settings: str) -> Protocol:
    return load_protocol("tc99m-hmpao-spect-ct", [f"attenuation.{one}" for one in settings])


def maps_of(
    ct: CtSeries, chosen: Protocol, nuclide: str = "Tc-99m"
) -> tuple[list[NDArray[np.float64]], dict[str, str]]:
    projections, peak = spect(nuclide)
    made = attenuation_maps_for(
        projections, peak, ct, ct.image, None, None, chosen, metal=metal_of_ct(ct, None, chosen)
    )
    assert made is not None
    return [one.array.astype(np.float64) for one in made.maps], dict(made.notes)


def test_a_plain_ct_gives_the_map_of_its_numbers_to_the_bit_and_without_a_word() -> None:
    ct, (projections, peak) = ct_of(), spect()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = mu_maps_for(projections, peak, ct, ct.image, None, None, protocol(), metal=None, nac=None)
        _, notes = maps_of(ct, protocol())
    plain = attenuation_map(ct.image, 120.0, TC, reconstruction_geometry(projections), smoothing_fwhm_mm=8.0)
    assert found is not None
    np.testing.assert_array_equal(found[0].array, plain.array)
    assert notes == {}


@pytest.mark.parametrize("metal_hu", [3071.0, 9000.0])
@pytest.mark.parametrize("material", ["titanium", "cobalt_chrome", "steel_316l"])
def test_metal_attenuates_as_its_material(material: str, metal_hu: float) -> None:
    ct = ct_of(metal_hu)
    chosen = protocol(f"metal_material={material}", "smoothing_fwhm_mm=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        (mu,), notes = maps_of(ct, chosen)
    assert mu.max() == pytest.approx(metal_mu_per_cm(material, TC, coherent_counted=True), rel=0.01)
    assert "whatever its CT numbers" in notes["metal"]


def test_an_assumed_material_is_told_and_one_that_was_told_is_not() -> None:
    with pytest.warns(AssumptionWarning, match=r"titanium alloy .*its material is assumed; --metal-material"):
        maps_of(ct_of(9000.0), protocol())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        maps_of(ct_of(9000.0), protocol("metal_material=titanium_alloy"))
        _, notes = maps_of(ct_of(9000.0), protocol("metal_material=as-scanned"))
    assert "as scanned" in notes["metal"]
    with pytest.warns(AssumptionWarning, match=r"reads (89|90)\d\d HU inside, where 316L steel has about 25000"):
        maps_of(ct_of(9000.0), protocol("metal_material=steel_316l"))


def test_each_photopeak_of_indium_has_metal_of_its_own_energy() -> None:
    chosen = protocol("metal_material=titanium_alloy", "smoothing_fwhm_mm=0")
    maps, _ = maps_of(ct_of(3071.0), chosen, "In-111")
    for mu, energy in zip(maps, (IN_LOW, IN_HIGH), strict=True):
        assert mu.max() == pytest.approx(metal_mu_per_cm("titanium_alloy", energy, coherent_counted=True), rel=0.01)


def test_contrast_agent_is_told_and_mapped_like_water_only_when_asked() -> None:
    ct, x_y = ct_of(pool_hu=320.0), reconstruction_geometry(spect()[0])
    k, j, i = (round(float(n)) for n in x_y.to_index((-45.0, 5.0, 0.0)))
    water = water_mu_per_cm(TC, coherent_counted=True)
    with pytest.warns(
        AssumptionWarning, match=r"320 HU look like contrast agent, though none is recorded; .* 2\d % more"
    ):
        (plain,), _ = maps_of(ct, protocol())
    with pytest.warns(AssumptionWarning, match="header records a contrast agent: .* are mapped like water"):
        (mapped,), notes = maps_of(replace(ct, contrast_recorded=True), protocol("contrast_as_water=true"))
    assert plain[k, j, i] > 1.15 * water
    assert mapped[k, j, i] == pytest.approx(water, rel=0.005)
    assert "mapped like water" in notes["contrast agent"]


def test_the_couch_is_kept_or_removed() -> None:
    ct, grid = ct_of(couch=True), reconstruction_geometry(spect()[0])
    (kept,), _ = maps_of(ct, protocol())
    (removed,), notes = maps_of(ct, protocol("couch=remove"))
    (without,), _ = maps_of(ct_of(), protocol())
    k, j, i = (round(float(n)) for n in grid.to_index((0.0, 90.0, 0.0)))
    assert kept[k, j, i] > 0.05
    assert removed[k, j, i] < 0.005
    np.testing.assert_allclose(removed, without, atol=2e-3)
    assert "couch" in notes


def test_a_voltage_is_assumed_by_choice_only() -> None:
    ct = replace(ct_of(), kvp=None)
    with pytest.raises(MissingInformationError, match="assumed-kvp"):
        maps_of(ct, protocol())
    with pytest.warns(AssumptionWarning, match="like those of 120 kV"):
        (assumed,), _ = maps_of(ct, protocol("assumed_kvp=120"))
    np.testing.assert_array_equal(assumed, maps_of(ct_of(), protocol())[0][0])


def test_the_header_tells_contrast_agent_and_images_of_one_energy(small_ct: Path, tmp_path: Path) -> None:
    for path in sorted(small_ct.glob("*.dcm"))[:3]:
        dataset = dcmread(path)
        dataset.ContrastBolusAgent = "NONE"
        dataset.save_as(tmp_path / path.name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AssumptionWarning)
        plain = read_ct(tmp_path)
        for path in tmp_path.glob("*.dcm"):
            dataset = dcmread(path)
            dataset.ContrastBolusAgent = "Ultravist"
            dataset.ImageType = ["DERIVED", "PRIMARY", "AXIAL", "MONO_70KEV"]
            dataset.save_as(path)
        told = read_ct(tmp_path)
    assert (plain.contrast_recorded, plain.spectral) == (False, "")
    assert (told.contrast_recorded, told.spectral) == (True, "a monoenergetic image")


def test_the_command(small_spect: Path, small_ct: Path, tmp_path: Path) -> None:
    said = leukospect("recon", small_spect, "--ct", small_ct, "--iterations", 1, "--no-resolution",
                      "--metal-material", "steel_316l", "-o", tmp_path / "out")  # fmt: skip
    assert said.code == 0, said.stderr
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["settings"]["attenuation"]["metal_material"] == "steel_316l"
    assert "316L steel" in json.dumps(provenance["notes"])
    assert "material is assumed" not in said.stderr
    refused = leukospect("recon", small_spect, "--metal-material", "titanium", "-o", tmp_path / "no")
    assert refused.code == 3
    assert "give it with --ct" in refused.stderr
