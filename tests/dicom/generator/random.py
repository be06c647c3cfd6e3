"""Valid acquisitions drawn at random, for hypothesis; numbers are such as a file's decimal strings hold exactly."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.sequence import Sequence

from tests.dicom.generator.elements import NUCLIDES, Ranges, item
from tests.dicom.generator.planar import VIEWS, Planar
from tests.dicom.generator.scene import Source
from tests.dicom.generator.storing import Stored
from tests.dicom.generator.tomo import Rotation, Tomo
from tests.dicom.generator.volume import ReconTomo

Draw = st.DrawFn
UNCOMPRESSED = ("explicit", "implicit", "deflated", "big endian")


def decimals(low: float, high: float, digits: int = 2) -> st.SearchStrategy[float]:
    """Numbers of so many decimals."""
    scale = 10**digits
    return st.integers(round(low * scale), round(high * scale)).map(lambda whole: whole / scale)


@dataclass(frozen=True)
class Injected:
    """When an acquisition began, and what was injected when."""

    start: datetime
    nuclide: str
    injection: datetime
    dose_mbq: float
    with_date: bool

    def elements(self) -> dict[str, Any]:
        value, meaning = NUCLIDES[self.nuclide]
        nuclide = item(CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning=meaning)
        injected = item(RadionuclideTotalDose=self.dose_mbq, RadionuclideCodeSequence=Sequence([nuclide]))
        if self.with_date:
            injected.RadiopharmaceuticalStartDateTime = self.injection.strftime("%Y%m%d%H%M%S.%f")
        injected.RadiopharmaceuticalStartTime = self.injection.strftime("%H%M%S.%f")
        return {
            "AcquisitionDate": self.start.strftime("%Y%m%d"),
            "AcquisitionTime": self.start.strftime("%H%M%S.%f"),
            "RadiopharmaceuticalInformationSequence": Sequence([injected]),
        }


@st.composite
def injections(draw: Draw) -> Injected:
    start = datetime(2023, 1, 1) + timedelta(milliseconds=draw(st.integers(0, 2 * 365 * 86_400_000)))
    with_date = draw(st.booleans())
    before = draw(st.integers(0, 4 * 86_400_000 if with_date else 86_399_000))
    nuclide = draw(st.sampled_from(sorted(NUCLIDES)))
    return Injected(start, nuclide, start - timedelta(milliseconds=before), draw(decimals(5.0, 900.0, 1)), with_date)


@st.composite
def storings(draw: Draw, shape: tuple[int, int]) -> Stored:
    dtype = draw(st.sampled_from(("uint8", "uint16", "int16", "uint32")))
    rescaled = draw(st.booleans())
    slope = draw(st.sampled_from((0.25, 0.5, 1.0, 2.0, 3.0))) if rescaled else None
    intercept = float(draw(st.integers(0, 300))) if rescaled else None
    compressed: tuple[str, ...] = () if dtype == "uint32" else ("rle",)
    if dtype != "uint32" and min(shape) >= 4:
        compressed += ("jpeg lossless", "jpeg-ls")  # the encoder fails on smaller images, JPEG 2000 also on these
    return Stored(dtype, slope, intercept, draw(st.sampled_from((*UNCOMPRESSED, *compressed))))


def random_counts(draw: Draw, stored: Stored, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Draw counts that the pixel type holds, over most of its range, none negative."""
    limits = np.iinfo(stored.dtype)
    least = max(limits.min, -int((stored.intercept or 0.0) // (stored.slope or 1.0)))
    most = min(limits.max, 2**20)
    values = np.random.default_rng(draw(st.integers(0, 2**32))).integers(least, most, shape, endpoint=True)
    return stored.meant_values(values.astype(stored.dtype))


@st.composite
def window_ranges(draw: Draw, most: int = 4) -> tuple[Ranges, ...]:
    windows = []
    for _ in range(draw(st.integers(1, most))):
        lower = draw(decimals(20.0, 300.0, 1))
        ranges = []
        for _ in range(draw(st.integers(1, 3))):
            upper = round(lower + draw(decimals(0.1, 40.0, 1)), 1)
            ranges.append((lower, upper))
            lower = round(upper + draw(decimals(0.1, 10.0, 1)), 1)
        windows.append(tuple(ranges))
    return tuple(dict.fromkeys(windows))


@st.composite
def rotations(draw: Draw, per_view_radii: bool, recorded: bool) -> Rotation:
    views = draw(st.integers(2, 6))
    several = draw(st.booleans()) and per_view_radii
    radii = tuple(draw(decimals(90.0, 400.0)) for _ in range(views if several else 1))
    return Rotation(
        turned_deg=draw(decimals(-350.0, 350.0)),
        direction=draw(st.sampled_from(("CC", "CW"))),
        views=views,
        step_deg=draw(decimals(1.0, 60.0)),
        duration_s=draw(st.integers(100, 90_000)) / 1000.0,
        radii_mm=radii if recorded else None,
    )


@st.composite
def tomos(draw: Draw, injected: Injected) -> Tomo:
    turned = draw(st.lists(st.sampled_from((60.0, 90.0, 120.0, 180.0, 240.0)), max_size=2, unique=True))
    heads = 1 + len(turned)
    start = draw(decimals(0.0, 359.99))
    position = draw(st.sampled_from(("HFS", "HFP", "FFS", "FFP")))
    whose = draw(st.sampled_from(("patient's", "gantry's")))
    radii_of = draw(st.sampled_from(("head", "rotation", "nobody")))
    positions = draw(st.booleans())
    if whose == "gantry's" or positions:  # without positions nothing tells whose angles; without radii not all of where
        positions, radii_of = True, "head" if radii_of == "nobody" else radii_of
    turns = [draw(rotations(radii_of == "rotation", radii_of != "nobody")) for _ in range(draw(st.integers(1, 3)))]
    turns[0] = Rotation(0.0, *(getattr(turns[0], name) for name in list(Rotation.__dataclass_fields__)[1:]))
    several = radii_of == "head" and len(turns) == 1 and draw(st.booleans())
    own = tuple(
        tuple(draw(decimals(90.0, 400.0)) for _ in range(turns[0].views if several else 1)) for _ in range(heads)
    )
    offset = draw(st.one_of(st.just(0.0), decimals(-9.0, 9.0)))
    shape = (draw(st.integers(2, 9)), draw(st.integers(2, 9)))
    ranges = draw(window_ranges())
    stored = draw(storings(shape))
    gates = (1, 1) if stored.intercept else draw(st.sampled_from(((1, 1), (1, 1), (1, 3), (2, 2))))
    views = sum(turn.views for turn in turns)
    return Tomo(
        axis_mm=(draw(decimals(-60.0, 60.0)), draw(decimals(-60.0, 60.0))),
        first_row_z_mm=draw(decimals(-1500.0, 1500.0)),
        shape=shape,
        pixel_mm=(draw(decimals(1.0, 9.0, 4)), draw(decimals(1.0, 9.0, 4))),
        start_angles_deg=(start, *((start + more) % 360.0 for more in turned)),
        rotations=tuple(turns),
        head_radii_mm=own if radii_of == "head" else (),
        window_ranges_kev=ranges,
        frame_order=tuple(draw(st.permutations(("window", "head", "rotation", "view")))),
        shuffle_seed=draw(st.one_of(st.none(), st.integers(0, 1000))),
        # A start angle for all heads leaves it to their orientation; see test_told_orbit for prone and feet first.
        angles_of="head"
        if heads > 1 and (not positions or position == "FFP")
        else draw(st.sampled_from(("head", "rotation"))),
        radii_of="rotation" if radii_of != "head" else "head",
        gantry=position,
        angles_are=whose,
        positions=positions,
        centre_offset_mm=offset,
        offset_corrected=draw(st.booleans()),
        rr_intervals=gates[0],
        time_slots=gates[1],
        stored=stored,
        given_counts=random_counts(draw, stored, (len(ranges), heads, views, *shape)),
        nuclide=injected.nuclide,
        elements=injected.elements(),
    )


@st.composite
def planars(draw: Draw, injected: Injected) -> Planar:
    rows, columns = draw(st.integers(2, 12)), draw(st.integers(2, 12))
    stored = draw(storings((rows, columns)))
    ranges = draw(window_ranges())
    views = tuple(draw(st.lists(st.sampled_from(sorted(VIEWS)), min_size=1, max_size=4, unique=True)))
    kind = draw(st.sampled_from(("STATIC", "WHOLE BODY", "DYNAMIC", "GATED")))
    repeats: tuple[int, ...] = (1,)
    if kind == "DYNAMIC":
        repeats = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=3)))
    if kind == "GATED":
        repeats = (draw(st.integers(2, 4)),) * draw(st.integers(1, 2))
    positions = draw(st.booleans())
    return Planar(
        counts=random_counts(draw, stored, (len(ranges), len(views), sum(repeats), rows, columns)),
        kind=kind,
        views=views,
        pixel_mm=(draw(decimals(1.0, 9.0, 4)), draw(decimals(1.0, 9.0, 4))),
        repeats=repeats,
        frame_seconds=tuple(draw(st.integers(1000, 900_000)) / 1000.0 for _ in repeats),
        window_ranges_kev=ranges,
        shuffle_seed=draw(st.integers(0, 1000)),
        positions=positions,
        middle_mm=draw(st.tuples(decimals(-900.0, 900.0), decimals(-900.0, 900.0), decimals(-900.0, 900.0))),
        distance_mm=draw(decimals(90.0, 400.0)),
        upside_down=positions and draw(st.booleans()),
        mirrored=positions and draw(st.booleans()),
        scan_velocity_mm_s=draw(decimals(1.0, 9.0)) if kind == "WHOLE BODY" else None,
        field_length_mm=float(draw(st.integers(200, 500))) if kind == "WHOLE BODY" else None,
        stored=stored,
        elements=injected.elements(),
    )


@st.composite
def orientations(draw: Draw) -> tuple[float, ...]:
    """Two directions at a right angle, any way round: half of them along the axes of the patient."""
    if draw(st.booleans()):
        one, other = draw(st.permutations(range(3)))[:2]
        cosines = np.zeros((2, 3))
        cosines[0, one], cosines[1, other] = draw(st.sampled_from((-1.0, 1.0))), draw(st.sampled_from((-1.0, 1.0)))
        return tuple(cosines.ravel().tolist())
    mixed = np.random.default_rng(draw(st.integers(0, 2**32))).normal(size=(3, 3))
    return tuple(np.round(np.linalg.qr(mixed)[0][:, :2].T.ravel(), 8).tolist())


@st.composite
def recon_tomos(draw: Draw) -> ReconTomo:
    shape = (draw(st.integers(2, 9)), draw(st.integers(2, 9)), draw(st.integers(2, 9)))
    made = ReconTomo(
        sources=(),
        shape=shape,
        pixel_mm=(draw(decimals(1.0, 9.0, 4)), draw(decimals(1.0, 9.0, 4))),
        spacing_mm=draw(decimals(1.0, 9.0, 4)) * draw(st.sampled_from((-1.0, 1.0))),
        # A place of nothing but zeros is read as none, with an assumption.
        first_mm=draw(st.tuples(decimals(-900.0, 900.0), decimals(-900.0, 900.0), decimals(1.0, 900.0))),
        orientation=draw(orientations()),
        slice_order=tuple(draw(st.permutations(range(shape[0])))),
        stored=Stored(draw(st.sampled_from(("uint16", "int16"))), 0.5, 0.0),
    )
    made.sources = (_source_in(draw, made, 4000.0), _source_in(draw, made, 2000.0))
    return made


def _source_in(draw: Draw, made: ReconTomo, height: float) -> Source:
    places = made.places_mm().reshape(-1, 3)
    x, y, z = places[draw(st.integers(0, len(places) - 1))]
    return Source((float(x), float(y), float(z)), height, 6.0)
