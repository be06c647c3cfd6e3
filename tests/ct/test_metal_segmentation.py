"""Metal is found at its true size on short and extended scales; bone, contrast, noise and what lies outside are not."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from leukospect.ct.body import body_outline
from leukospect.ct.metal_segmentation import MetalComponent, MetalFinding, find_metal, metal_finding
from leukospect.data import Image
from leukospect.errors import InputError
from tests.ct.dense_slice import BODY, Drawn, ct_image, dense_slice, dice, disc

SHORT, EXTENDED = 3071.0, 30710.0
TITANIUM, COBALT_CHROME, STEEL = 8000.0, 20000.0, 25000.0
CORTEX = (disc(62, 60, 28, 1500), disc(62, 60, 14, 20))


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
@pytest.mark.parametrize("hu", [TITANIUM, COBALT_CHROME, STEEL])
def test_metal_of_five_pixels_and_more_has_its_true_size(top_hu: float, hu: float) -> None:
    found: list[float] = []
    for n, (diameter, blur) in enumerate([(5.0, 0.45), (5.0, 0.64), (8.0, 0.64), (14.0, 0.64), (30.0, 0.8)]):
        array, metal = dense_slice(
            BODY, disc(58.2, 70.4, diameter, hu), blur_mm=blur, top_hu=top_hu, streak_hu=150.0, seed=n
        )
        found.append(dice(find_metal(ct_image(array))[0], metal))
    assert min(found) >= 0.9
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
@pytest.mark.parametrize("blur_mm", [0.45, 0.8])
@pytest.mark.parametrize("diameter_mm", [1.6, 2.0, 3.0])
def test_screws_of_two_and_three_pixels_are_found(top_hu: float, blur_mm: float, diameter_mm: float) -> None:
    screw = disc(58.3, 70.1, diameter_mm, TITANIUM)
    array, _ = dense_slice(BODY, screw, blur_mm=blur_mm, top_hu=top_hu, streak_hu=50.0)
    found = find_metal(ct_image(array))[0]
    assert 1 <= found.sum() <= 2.5 * np.pi * (0.5 * diameter_mm + 0.4) ** 2
    assert found[58, 70]
    assert not np.delete(np.delete(found, np.s_[54:63], 0), np.s_[66:75], 1).any()


def test_titanium_beside_cobalt_chrome_each_has_its_own_threshold() -> None:
    head, stem = disc(62, 50, 22, COBALT_CHROME), Drawn((62.0, 68.0), (5.0, 9.0), TITANIUM, box=True)
    array, metal = dense_slice(BODY, stem, head, disc(40, 100, 9, TITANIUM), top_hu=EXTENDED, streak_hu=200.0)
    finding = metal_finding(ct_image(array))
    assert dice(finding.mask[0], metal) > 0.95
    joined, nail = finding.components
    assert joined.threshold_hu == pytest.approx((0.5 * TITANIUM, 0.5 * COBALT_CHROME), rel=0.08)
    assert nail.threshold_hu == pytest.approx((0.5 * TITANIUM, 0.5 * TITANIUM), rel=0.08)
    assert nail.centroid_mm == pytest.approx((100.0 - 75.0, 40.0 - 60.0, 33.0), abs=0.3)
    assert nail.volume_ml == pytest.approx(np.pi * 4.5**2 * 2.0 / 1000.0, rel=0.1)
    assert not nail.cut_off


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
def test_a_nail_in_cortical_bone_leaves_the_bone_out(top_hu: float) -> None:
    array, metal = dense_slice(BODY, *CORTEX, disc(62, 60, 10, TITANIUM), noise_hu=40.0, top_hu=top_hu)
    # A short scale does not show whether the edge stands on the 2 mm of marrow or on the bone behind.
    assert dice(find_metal(ct_image(array))[0], metal) > (0.82 if top_hu == SHORT else 0.9)


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
def test_a_bright_streak_between_two_hips_is_no_metal(top_hu: float) -> None:
    hips = (disc(60, 40, 22, COBALT_CHROME), disc(63, 108, 24, COBALT_CHROME))
    array, metal = dense_slice(BODY, *hips, streak_hu=460.0, noise_hu=60.0, top_hu=top_hu)
    assert array[61, 74] > 1900
    finding = metal_finding(ct_image(array))
    assert dice(finding.mask[0], metal) > 0.93
    assert len(finding.components) == 2
    assert not finding.mask[0, :, 56:90].any()


TEETH = tuple(
    drawn
    for n in range(5)
    for drawn in (disc(40 + 3 * abs(n - 2), 47 + 14 * n, 11, 2850), disc(40 + 3 * abs(n - 2), 47 + 14 * n, 7.6, 1600))
)


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
@pytest.mark.parametrize(
    "things",
    [
        pytest.param((disc(62, 60, 28, 2000), disc(62, 60, 14, 0)), id="dense cortical bone"),
        pytest.param((Drawn((62.0, 60.0), (12.0, 20.0), 2900.0),), id="barium below the top"),
        pytest.param((Drawn((62.0, 60.0), (12.0, 20.0), 3300.0),), id="barium beyond the top"),
        pytest.param((Drawn((62.0, 60.0), (14.0, 20.0), 2700.0), disc(54, 60, 18, -950)), id="barium with gas over it"),
        pytest.param(TEETH, id="enamel"),
        pytest.param((disc(62, 60, 6, 1950),), id="kidney stone"),
        pytest.param((Drawn((60.0, 70.0), (3.0, 20.0), 900.0, turn_deg=30.0),), id="iodine in a vessel"),
    ],
)
def test_bone_teeth_contrast_and_stones_are_no_metal(things: tuple[Drawn, ...], top_hu: float) -> None:
    for blur in (0.45, 0.7):
        array, _ = dense_slice(BODY, *things, noise_hu=60.0, blur_mm=blur, top_hu=top_hu)
        finding = metal_finding(ct_image(array))
        assert not finding.mask.any()
        assert all(one.reason in ("bone or contrast medium", "noise") for one in finding.left_out)


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
@pytest.mark.parametrize(
    "teeth",
    [
        pytest.param([disc(40, 40 + 14 * n, 9.0, 3250) for n in range(5)], id="enamel beyond the top"),
        pytest.param([disc(40, 40 + 14 * n, 3.4, 2600) for n in range(5)], id="roots in thick slices"),
    ],
)
def test_a_row_of_teeth_is_no_metal(teeth: list[Drawn], top_hu: float) -> None:
    array, _ = dense_slice(BODY, *teeth, blur_mm=0.7, top_hu=top_hu)
    finding = metal_finding(ct_image(array, (4.0, 1.0, 1.0)))
    assert not finding.mask.any()
    assert [one.reason for one in finding.left_out] == ["bone or contrast medium"]


def _head_in_bone() -> tuple[NDArray[np.int16], NDArray[np.bool_], NDArray[np.bool_]]:
    """A steel head in cortical bone: shadows as dark as air left and right, bone beyond the top above and below."""
    head = disc(62, 75, 20, STEEL)
    clean, metal = dense_slice(BODY, disc(62, 75, 40, 1500), head)
    row, column = np.indices(clean.shape) + 0.5
    across, down = np.abs(column - 75), np.abs(row - 62)
    hu = clean.astype(np.float32)
    hu += 2800.0 * np.exp(-0.5 * ((down - 10.0) / 3.5) ** 2) * (across < 6.0) * ~metal * (hu > 900.0)
    shadow = (np.hypot(across, down) > 11.0) & (across > 6.0) & (down < 9.5)
    hu[shadow] = -1000.0
    return np.clip(np.rint(hu), -1024, SHORT).astype(np.int16), metal, shadow


def test_a_thin_cup_in_bone_is_metal_beside_other_metal() -> None:
    """Its edge is hidden by the bone that it lies in; no bone by itself fills so much at the scale's top."""
    cup = Drawn((62.0, 100.0), (11.0, 2.5), 6000.0, turn_deg=15.0)
    array, metal = dense_slice(BODY, disc(62, 100, 26, 1750), cup, disc(62, 45, 14, STEEL))
    found = find_metal(ct_image(array))[0]
    assert dice(found, metal) > 0.85
    assert found[62, 100]


def test_bone_brightened_beyond_the_top_is_taken_off_metal() -> None:
    array, metal, _ = _head_in_bone()
    assert (array == SHORT).sum() > 1.3 * metal.sum()
    found = find_metal(ct_image(array))[0]
    assert (found & metal).sum() > 0.95 * metal.sum()
    assert found.sum() < 1.15 * metal.sum()


def test_a_head_whose_edge_is_hidden_by_starved_rays_is_metal_and_a_contrast_pool_is_not() -> None:
    """Beside a cobalt-chrome head rays starve: black at two sides, and a bright slope around all of the rest."""
    clean, metal = dense_slice(BODY, disc(62, 75, 32, COBALT_CHROME))
    row, column = np.indices(clean.shape) + 0.5
    across, down = column - 75, row - 62
    beyond = np.hypot(across, down) - 16.0
    hu = clean.astype(np.float32)
    black = (np.abs(down) < 15.0) & (beyond > 3.5) & (np.abs(across) > 7.0)
    hu[black] = -950.0
    slope = ~metal & ~black
    hu[slope] += (2700.0 * np.exp(-np.maximum(beyond, 0.0) / 8.0))[slope]
    array = np.clip(np.rint(hu), -1024, SHORT).astype(np.int16)
    assert dice(find_metal(ct_image(array))[0], metal) > 0.9
    pool, _ = dense_slice(BODY, disc(62, 75, 46, 1500), disc(62, 75, 40, 2400), disc(62, 75, 32, 3200))
    assert not find_metal(ct_image(pool)).any()


def test_dark_streaks_from_metal_to_the_skin_stay_in_the_body() -> None:
    array, _, shadow = _head_in_bone()
    clean, _ = dense_slice(BODY)
    whole = body_outline(ct_image(clean))[0]
    assert (shadow & whole).sum() > 1000
    outline = body_outline(ct_image(array))[0]
    notched = body_outline(ct_image(np.minimum(array, 2500)))[0]
    assert (whole & ~notched).sum() > 0.2 * whole.sum()
    # A notch is closed by a chord of the skin's curve.
    assert (whole & ~outline).sum() < 0.07 * whole.sum()
    assert not (outline & ~whole).any()


def test_what_metal_encloses_is_filled_where_dense_and_left_where_it_is_tissue() -> None:
    cupped = (disc(62, 50, 28, COBALT_CHROME), disc(62, 50, 18, 5500))
    ring = (disc(62, 105, 34, COBALT_CHROME), disc(62, 105, 28, 40))
    array, _ = dense_slice(BODY, *cupped, *ring, top_hu=EXTENDED)
    found = find_metal(ct_image(array))[0]
    assert found[62, 50]
    assert found[:, :75].sum() == pytest.approx(np.pi * 14**2, rel=0.05)
    assert found[62, 89]
    assert not found[62, 105]


@pytest.mark.parametrize("top_hu", [SHORT, EXTENDED])
def test_a_filling_is_found_and_the_enamel_around_it_is_not(top_hu: float) -> None:
    array, metal = dense_slice(BODY, *TEETH, disc(43, 61, 3.6, 14000.0), noise_hu=50.0, top_hu=top_hu)
    found = find_metal(ct_image(array, (1.0, 1.0, 1.0)))[0]
    assert (found & metal).sum() >= 0.9 * metal.sum()
    assert found.sum() <= 3 * metal.sum()


def test_noise_is_no_metal_but_the_same_pixel_in_a_quiet_slice_is() -> None:
    noisy, _ = dense_slice(BODY, disc(62, 60, 28, 1500), noise_hu=330.0)
    noisy[80, 90] = 2600
    assert noisy.max() >= 2600
    assert not find_metal(ct_image(noisy)).any()
    quiet, _ = dense_slice(BODY, noise_hu=20.0)
    quiet[80, 90] = 2600
    assert np.argwhere(find_metal(ct_image(quiet))).tolist() == [[0, 80, 90]]


@pytest.mark.parametrize("peak_hu", [2200.0, 2500.0])
def test_a_screw_that_fills_thick_slices_in_part_is_found(peak_hu: float) -> None:
    screw = Drawn((62.0, 60.0), (1.8, 12.0), peak_hu, box=True, turn_deg=20.0)
    array, _ = dense_slice(BODY, disc(62, 60, 32, 300), screw, noise_hu=40.0)
    tissue, _ = dense_slice(BODY, noise_hu=40.0, seed=1)
    found = find_metal(ct_image(np.stack([tissue, array, tissue]), (5.0, 1.0, 1.0)))
    assert not found[[0, 2]].any()
    assert found[1].sum() == pytest.approx(4 * 1.8 * 12, rel=0.15)


@pytest.mark.parametrize("peak_hu", [1960.0, 2040.0])
def test_a_dense_long_bone_across_thick_slices_is_no_screw(peak_hu: float) -> None:
    phalanx = Drawn((62.0, 60.0), (2.1, 9.0), peak_hu, box=True, turn_deg=20.0)
    array, _ = dense_slice(BODY, phalanx, noise_hu=20.0)
    tissue, _ = dense_slice(BODY, noise_hu=40.0, seed=1)
    assert array.max() >= 1900
    assert not find_metal(ct_image(np.stack([tissue, array, tissue]), (3.0, 1.0, 1.0))).any()


@pytest.mark.parametrize("last", [0, 2])
def test_metal_at_the_ends_of_the_volume_is_found(last: int) -> None:
    tissue, _ = dense_slice(BODY)
    metal, where = dense_slice(BODY, disc(58.2, 70.4, 8, STEEL))
    stack = np.stack([tissue] * 3)
    stack[last] = metal
    finding = metal_finding(ct_image(stack))
    assert finding.components[0].slices == (last, last)
    assert finding.components[0].cut_off
    assert dice(finding.mask[last], where) > 0.9


def test_types_padding_and_pixels_that_are_not_square_change_little() -> None:
    nail = Drawn((58.0, 71.0), (6.0, 9.0), STEEL)
    array, metal = dense_slice(BODY, nail, shape=(83, 150), pixel_mm=(1.5, 1.0))
    found = find_metal(ct_image(array, (3.0, 1.5, 1.0)))[0]
    assert dice(found, metal) > 0.9
    padded = array.astype(np.float32)
    padded[:3] = -2000.0
    np.testing.assert_array_equal(find_metal(ct_image(padded, (3.0, 1.5, 1.0)))[0], found)


def _on_a_couch() -> NDArray[np.int16]:
    """A trunk with a hand beside it (a finger each 15 mm wide), over a couch's shell."""
    fingers = tuple(Drawn((50.0 + 18 * n, 136.0), (7.5, 7.5), 30.0) for n in range(2))
    couch = Drawn((119.0, 75.0), (1.5, 70.0), 150.0, box=True)
    trunk = Drawn((60.0, 62.0), (50.0, 56.0), 40.0)
    array, _ = dense_slice(trunk, *fingers, couch, noise_hu=20.0)
    return array


def _with(array: NDArray[np.int16], rows: slice, columns: slice, hu: int = 3071) -> NDArray[np.int16]:
    changed = array.copy()
    changed[rows, columns] = hu
    return changed


@pytest.mark.parametrize(
    ("rows", "columns", "inside"),
    [
        pytest.param(slice(60, 66), slice(50, 56), True, id="deep"),
        pytest.param(slice(14, 17), slice(52, 72), True, id="a plate 3 mm under the skin"),
        pytest.param(slice(49, 51), slice(135, 137), True, id="a wire in a finger"),
        pytest.param(slice(6, 8), slice(58, 68), False, id="an electrode on the skin"),
        pytest.param(slice(118, 121), slice(30, 33), False, id="a screw of the couch"),
        pytest.param(slice(20, 22), slice(10, 12), False, id="a lead in the air"),
        pytest.param(slice(2, 40), slice(60, 64), True, id="a pin through the skin"),
    ],
)
def test_metal_of_the_patient_only(rows: slice, columns: slice, inside: bool) -> None:
    array = _with(_on_a_couch(), rows, columns)
    finding = metal_finding(ct_image(array))
    expected = np.zeros(array.shape, dtype=bool)
    expected[rows, columns] = inside
    assert dice(finding.mask[0], expected) > 0.8 if inside else not finding.mask.any()
    reasons = [one.reason for one in finding.left_out]
    assert reasons == ([] if inside else ["outside the patient"])


def test_a_crown_in_the_air_goes_with_its_root_and_a_pin_outside_does_not() -> None:
    """The metal continues for 16 slices of 2 mm beyond the skin; a centimetre of it counts."""
    root = _with(_on_a_couch(), slice(9, 20), slice(60, 64))
    air = _with(_on_a_couch(), slice(2, 6), slice(60, 64))
    linking = _with(air, slice(2, 11), slice(60, 64))
    stack = np.stack([root, linking, *[air] * 16])
    found = np.asarray(find_metal(ct_image(stack)).any(axis=(1, 2)))
    assert found[:6].all()
    assert not found[6:].any()


def test_a_threshold_that_is_given_is_taken_everywhere() -> None:
    array, _ = dense_slice(BODY, disc(62, 60, 14, 1800), disc(40, 95, 6, TITANIUM), noise_hu=0.0)
    finding = metal_finding(ct_image(array), 1500.0)
    np.testing.assert_array_equal(finding.mask[0], array > 1500)
    assert {c.threshold_hu for c in finding.components} == {(1500.0, 1500.0)}
    np.testing.assert_array_equal(find_metal(ct_image(array), 2500.0)[0], array > 2500)


def test_an_outline_that_is_given_is_the_patient() -> None:
    array = _with(_on_a_couch(), slice(60, 66), slice(50, 56))
    outline = np.ones((1, *array.shape), dtype=bool)
    assert find_metal(ct_image(array), body=outline).sum() == 36
    elsewhere = np.zeros_like(outline)
    elsewhere[:, :30, :30] = True
    lead = _with(_on_a_couch(), slice(15, 19), slice(12, 16))
    assert find_metal(ct_image(lead), body=elsewhere)[0, 15:19, 12:16].all()
    assert not find_metal(ct_image(lead)).any()


def test_what_was_found_is_said() -> None:
    array, _ = dense_slice(BODY, disc(62, 60, 9, TITANIUM), disc(40, 95, 8, 1950), top_hu=EXTENDED)
    said = str(metal_finding(ct_image(array)))
    assert said.startswith("1 piece of metal, 0.12 mL, above 40")
    assert "Not taken for metal: bone or contrast medium" in said
    empty, _ = dense_slice(BODY)
    assert str(metal_finding(ct_image(empty))) == "No metal was found in the patient."


def test_what_cannot_be_searched_is_refused() -> None:
    array, _ = dense_slice(BODY)
    image = ct_image(array)
    with pytest.raises(InputError, match="give 1000 or more"):
        find_metal(image, 300.0)
    with pytest.raises(InputError, match="1/cm"):
        find_metal(Image(image.array, image.geometry, "1/cm"))
    with pytest.raises(InputError, match="shape"):
        find_metal(image, body=np.ones((1, 3, 3), dtype=bool))
    for wrong in (np.nan, np.inf, -np.inf):
        values = array.astype(np.float32)
        values[3, 4] = wrong
        with pytest.raises(InputError, match="not finite"):
            find_metal(ct_image(values))


@pytest.mark.real_data
def test_nothing_is_found_where_there_is_no_metal(real_data: Path) -> None:
    for folder in ("ct/siemens_mct_abdomen", "ct_pet/ct"):
        slices = [pydicom.dcmread(path) for path in sorted((real_data / folder).iterdir())]
        slices.sort(key=lambda d: float(d.ImagePositionPatient[2]))
        array = np.stack([d.pixel_array * float(d.RescaleSlope) + float(d.RescaleIntercept) for d in slices])
        assert not find_metal(ct_image(array.astype(np.float32), (2.0, 0.977, 0.977))).any(), folder
    low = np.asarray(nib.load(real_data / "ct" / "abdomen_low_resolution.nii.gz").dataobj).T
    assert not find_metal(ct_image(np.ascontiguousarray(low, dtype=np.float32), (3.0, 3.0, 3.0))).any()


@pytest.mark.real_data
def test_virtual_metal_in_real_slices_is_found_at_any_height(real_data: Path) -> None:
    with np.load(real_data / "metal" / "aapm_slices_hu.npz") as stored:
        for name in stored:
            hu = stored[name]
            for height in (5000, 20000):
                seen = np.where(hu > 2500, np.int16(height), hu)
                np.testing.assert_array_equal(find_metal(ct_image(seen, (1.0, 0.8, 0.8)))[0], hu > 2500, err_msg=name)


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ([(4269.1, 4269.4)], "1 piece of metal, 1 mL, above 4269 HU."),
        ([(4248.0, 4269.0)], "1 piece of metal, 1 mL, above its own threshold of 4248 to 4269 HU."),
        ([(3000.0, 3000.0), (4269.0, 4269.0)], "2 pieces of metal, 2 mL, each above its own threshold of 3000 to 4269"),
    ],
)
def test_thresholds_are_told_as_far_as_they_differ(thresholds: list[tuple[float, float]], told: str) -> None:
    pieces = tuple(MetalComponent(1.0, (0.0, 0.0, 0.0), (0, 1), 8000.0, one, False) for one in thresholds)
    assert str(MetalFinding(np.zeros((1, 1, 1), np.bool_), pieces, (), None)).startswith(told)
