"""The infected plate's study by its planar views alone, and by its SPECT/CT alone: flagged as built by each."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukospect.data import CtSeries, PlanarImages, Projections
from leukospect.dicom.read.study import read_study
from tests.coarse_studies import part_of, run


@pytest.mark.parametrize(
    ("kinds", "modality"), [((PlanarImages,), "planar anterior"), ((Projections, CtSeries), "spect")]
)
def test_a_part_of_the_study_is_flagged_as_the_whole(
    kinds: tuple[type[Projections | PlanarImages | CtSeries], ...], modality: str, small_phantom: Path
) -> None:
    study = part_of(read_study(small_phantom / "study"), *kinds)
    flag = run(study, small_phantom / "regions.toml", "visual-increase").flag
    assert flag.flag == "positive"
    lesions = {lesion.lesion: lesion for lesion in flag.lesions}
    assert lesions["right plate, screw 2"].flag == "positive"
    assert lesions["left nail"].flag == "negative"
    assert {lesion.modality for lesion in flag.lesions} == {modality}
