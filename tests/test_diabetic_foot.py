"""The diabetic foot's three variants: flagged as built, by planar views alone, by SPECT/CT alone and by both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukospect.data import CtSeries, Geometry, PlanarImages, Projections, Study
from leukospect.phantoms import attenuation_map, filling_map, read_phantom
from tests.coarse_studies import part_of, run, simulated

BUILT = {
    "diabetic-foot": ("positive", "osteomyelitis"),
    "diabetic-foot-soft-tissue": ("positive", "soft tissue infection"),
    "diabetic-foot-negative": ("negative", "no infection"),
}
PARTS: dict[str, tuple[type[Projections | PlanarImages | CtSeries], ...]] = {
    "planar": (PlanarImages,),
    "SPECT/CT": (Projections, CtSeries),
}


@pytest.fixture(scope="module", params=BUILT)
def variant(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Study, Path]:
    name: str = request.param
    return name, *simulated(name, tmp_path_factory.mktemp("foot"))


@pytest.mark.parametrize("part", PARTS)
def test_a_variant_is_flagged_as_it_was_built(variant: tuple[str, Study, Path], part: str) -> None:
    name, study, regions = variant
    flag = run(part_of(study, *PARTS[part]), regions, "diabetic-foot").flag
    [lesion] = flag.lesions
    assert (flag.flag, lesion.finding) == BUILT[name], lesion.reason
    assert lesion.modality == ("spect" if part == "SPECT/CT" else "planar anterior")


def test_with_both_the_rule_takes_the_planar_views_that_it_was_published_for(variant: tuple[str, Study, Path]) -> None:
    name, study, regions = variant
    result = run(part_of(study, PlanarImages, Projections), regions, "diabetic-foot")  # without CT: it is the faster
    [lesion] = result.flag.lesions
    assert (result.flag.flag, lesion.finding) == BUILT[name], lesion.reason
    assert lesion.modality == "planar anterior"
    assert {ratio.modality for ratio in result.ratios} == {"spect", "planar anterior", "planar posterior"}


@pytest.mark.parametrize(
    ("name", "region", "material"),
    [
        ("diabetic-foot", "metatarsal", "bone"),
        ("diabetic-foot-soft-tissue", "sole", "soft tissue"),
        ("diabetic-foot-negative", "midfoot", "bone"),
    ],
)
def test_a_variants_lesion_lies_in_the_tissue_it_is_named_for(name: str, region: str, material: str) -> None:
    """Bone attenuates more than soft tissue: spongiosa too."""
    phantom = read_phantom(name)
    grid = Geometry.axial((64, 50, 50), (4.0, 4.0, 4.0), (-198.0, -110.0, -202.0))
    mu = np.asarray(attenuation_map(phantom, 140.511, grid, samples=2).array)
    filled = [
        np.asarray(filling_map(phantom, shape, grid, samples=2).array)
        for shape in phantom.shape
        if shape.compartment == region
    ]
    inside = np.max(filled, axis=0) > 0.95
    assert inside.sum() * 0.064 > 5.0  # mL
    typical = float(np.median(mu[inside]))
    assert typical > 0.165 if material == "bone" else 0.15 < typical < 0.165


def test_only_what_a_variant_is_named_for_rises() -> None:
    for name, (_, finding) in BUILT.items():
        phantom = read_phantom(name)
        course = {
            part: phantom.compartment[part].concentration_kbq_per_ml(20.0)
            / phantom.compartment[part].concentration_kbq_per_ml(3.0)
            for part in ("metatarsal", "sole", "midfoot")
        }
        assert [part for part, grown in course.items() if grown > 1.0] == (
            ["metatarsal"] if finding == "osteomyelitis" else []
        )
