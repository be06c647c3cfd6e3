"""Phantoms that are based on another, and those with a second injection, of a colloid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leukospect.errors import ProtocolError
from leukospect.phantoms import Phantom, phantom_from_toml, read_phantom, simulate_study
from tests.phantoms.made_phantom import HALF_LIFE_S, HEAD, ball, spect_text

BODY = HEAD.format(finest_mm=4.8, rays=1) + ball((0.0, 0.0, 0.0), 20.0)
COLLOID = """
[colloid]
nuclide = "Tc-99m"
compound = "nanocolloid"
dose_mbq = 200
time = 2020-01-03T08:00:00
kbq_per_ml = { hot = 10.0 }
"""


def scan(tracer: str, hours: float) -> str:
    kind = 'kind = "SPECT"'
    return spect_text(hours=hours).replace(kind, f'{kind}\ntracer = "{tracer}"', 1)


def made(*scans: str, colloid: str = COLLOID) -> Phantom:
    return phantom_from_toml(BODY + "".join(scans) + colloid, "mine")


def test_what_is_based_on_another_holds_what_differs(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(BODY + scan("leukocytes", 4.0))
    path = tmp_path / "own.toml"
    path.write_text('based_on = "base"\ntitle = "own"\n[compartment]\nwarm = { late = 7.0 }\n')
    own, base = read_phantom(path), read_phantom(tmp_path / "base.toml")
    assert (own.name, own.title) == ("own", "own")
    assert own.compartment["warm"].concentration_kbq_per_ml(1.0) == 7.0
    assert own.compartment["hot"] == base.compartment["hot"]
    assert (own.shape, own.acquisition) == (base.shape, base.acquisition)
    path.write_text('based_on = "base"\nshape = []\n')
    with pytest.raises(ProtocolError, match="shape"):
        read_phantom(path)


@pytest.mark.parametrize(("base", "said"), [("nothing", "not there"), ("own", "based on itself")])
def test_a_base_that_cannot_be_is_refused(tmp_path: Path, base: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f'based_on = "{base}"\n')
    with pytest.raises(ProtocolError, match=said):
        read_phantom(path)


@pytest.mark.parametrize(
    ("scans", "colloid", "said"),
    [
        (("colloid", 1.0), "", "no \\[colloid\\]"),
        (("colloid", 1.0), COLLOID.replace("hot =", "cold ="), "cold"),
        (("both", 4.0), COLLOID, "before the colloid"),
        (("colloid", 1.0), COLLOID.replace("Tc-99m", "Xx-1"), "Xx-1"),
    ],
)
def test_a_colloid_that_cannot_be_is_refused(scans: tuple[str, float], colloid: str, said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        made(scan(*scans), colloid=colloid)


def test_a_colloid_counts_from_its_own_injection_and_decays_from_it() -> None:
    phantom = made(scan("colloid", 1.0), scan("colloid", 7.0), scan("leukocytes", 4.0))
    study = simulate_study(phantom, noise=False).study
    cells, first, second = study.projections
    assert [one.header.hours_after_injection for one in (cells, first, second)] == [4.0, 1.0, 7.0]
    injected = [one.header.radiopharmaceutical for one in (cells, first)]
    assert [one.dose_mbq for one in injected if one is not None] == [100, 200]
    assert [one.tracer for one in injected if one is not None] == ["unknown", "colloid"]
    grown = second.counts.sum(dtype=np.float64) / first.counts.sum(dtype=np.float64)
    assert grown == pytest.approx(0.5 ** (6.0 * 3600.0 / HALF_LIFE_S), rel=1e-4)
    # 1000 kBq/mL of the one 4 h, 10 of the other 1 h after its injection.
    ratio = cells.counts.sum(dtype=np.float64) / first.counts.sum(dtype=np.float64)
    assert ratio == pytest.approx(100.0 * 0.5 ** (3.0 * 3600.0 / HALF_LIFE_S), rel=1e-4)


def test_both_at_once_are_the_sum_and_name_both() -> None:
    early = COLLOID.replace("2020-01-03T08:00:00", "2020-01-01T11:00:00")
    scans = ("both", 4.0), ("leukocytes", 4.0), ("colloid", 1.0)
    both, cells, colloid = (
        simulate_study(made(scan(*one), colloid=early), noise=False).study.projections[0] for one in scans
    )
    np.testing.assert_allclose(both.counts, cells.counts + colloid.counts, rtol=1e-5)
    assert [one.name for one in both.header.other_radiopharmaceuticals] == ["nanocolloid"]
    assert both.header.start == cells.header.start == colloid.header.start
