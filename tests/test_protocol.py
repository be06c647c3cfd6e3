"""Protocols: strict, with settings on top, and the names of the time points."""

from __future__ import annotations

from pathlib import Path

import pytest

from leukospect.errors import ProtocolError
from leukospect.interpretation.rules import load_rule
from leukospect.protocol import load_protocol
from leukospect.resources import shipped

NAME = "tc99m-hmpao-spect-ct"


@pytest.mark.parametrize("name", sorted(shipped("pipelines")))
def test_every_shipped_protocol_loads_and_names_a_rule(name: str) -> None:
    protocol = load_protocol(name)
    assert protocol.name == name
    assert load_rule(protocol.rule).name == protocol.rule


def test_settings_override_the_file() -> None:
    protocol = load_protocol(NAME, ["reconstruction.iterations = 2", "metal.enabled=false", "rule=other"])
    assert (protocol.reconstruction.iterations, protocol.metal.enabled, protocol.rule) == (2, False, "other")
    assert load_protocol(NAME).reconstruction.subsets == protocol.reconstruction.subsets


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("nonsense", "nonsense"),
        ("=3", "=3"),
        ("a.b=1", "'a'"),
        ("reconstruction.iteration=3", "reconstruction.iteration"),
        ("reconstruction.iterations=0", "reconstruction.iterations"),
        ("reconstruction.iterations=many", "reconstruction.iterations"),
        ("reconstruction.post_filter_fwhm_mm=nan", "reconstruction.post_filter_fwhm_mm"),
        ("reconstruction=3", "reconstruction"),
        ("name.x=3", "name.x"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, named: str) -> None:
    with pytest.raises(ProtocolError, match=named.replace(".", r"\.")) as refused:
        load_protocol(NAME, [setting])
    assert "\n" not in str(refused.value)


def test_a_protocol_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('name = "own"\n[time_points]\nlate_from_hours = 18\n')
    assert load_protocol(str(own)).time_points.late_from_hours == 18
    for wrong in ("name = ", 'name = "x"\nspeed = 3\n', "[reconstruction]\niterations = 5\n"):
        own.write_text(wrong)
        with pytest.raises(ProtocolError):
            load_protocol(str(own))
    own.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ProtocolError):
        load_protocol(str(own))
    with pytest.raises(ProtocolError, match="known are"):
        load_protocol("nonsense")


def test_times_have_names() -> None:
    protocol = load_protocol(NAME)
    named = {hours: protocol.time_point(hours) for hours in (0.5, 1.0, 2.0, 4.0, 11.9, 12.0, 24.0)}
    assert list(named.values()) == ["early", "early", "delayed", "delayed", "delayed", "late", "late"]
    moved = load_protocol(NAME, ["time_points.delayed_from_hours=3", "time_points.late_from_hours=20"])
    assert [moved.time_point(hours) for hours in (2.5, 18.0, 20.0)] == ["early", "delayed", "late"]
