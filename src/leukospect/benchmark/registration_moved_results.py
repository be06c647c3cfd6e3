"""What the registration benchmark finds of moved limbs and planar views: their cases, and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from leukospect.benchmark.metal_results import Target

LIMB_P95_MM, LIMB_P95_DEG, PLANAR_P95_PIXELS = 0.5, 0.3, 1.0


@dataclass(frozen=True, slots=True)
class LimbCase:
    """One femur of one pair of CTs.

    Parameters
    ----------
    group : str
        The implants' metal, and whether its artefacts were reduced.
    moved : bool
    part : str
        ``right`` or ``left``.
    draw : int
    before_mm, p95_mm : float
        Error of points on the femur as it lay, mean, and as registered, 95th percentile.
    angle_deg : float
        By which the transform turns wrongly.
    kept : bool
        It is exactly the identity.
    doubtful : bool
        The program says that it may be off.
    seconds : float
        For all parts of the pair.
    reason : str
    """

    group: str
    moved: bool
    part: str
    draw: int
    before_mm: float
    p95_mm: float
    angle_deg: float
    kept: bool
    doubtful: bool
    seconds: float
    reason: str

    def row(self) -> dict[str, object]:
        """Give it as one flat row."""
        return {"kind": "CT to CT", **asdict(self)}


@dataclass(frozen=True, slots=True)
class PlanarCase:
    """One pair of planar acquisitions.

    Parameters
    ----------
    group : str
        The matrix: ``square`` or ``whole-body strip``.
    moved : bool
    draw : int
    pixel_mm : float
        The larger side of a late pixel.
    before_mm, p95_mm : float
        Error of points all over the body as it lay, mean, and as registered, 95th percentile.
    angle_deg : float
    kept : bool
        The transform is exactly the identity.
    seconds : float
    reason : str
    """

    group: str
    moved: bool
    draw: int
    pixel_mm: float
    before_mm: float
    p95_mm: float
    angle_deg: float
    kept: bool
    seconds: float
    reason: str

    def row(self) -> dict[str, object]:
        """Give it as one flat row."""
        return {"kind": "planar to planar", **asdict(self)}


def judged_limbs(cases: Sequence[LimbCase]) -> tuple[Target, ...]:
    """Compare what was found of femora with what is asked: each metal apart, the unmoved together."""
    targets = []
    for group in dict.fromkeys(case.group for case in cases if case.moved):
        chosen = [case for case in cases if case.moved and case.group == group]
        error, angle = (float(np.percentile([getattr(c, n) for c in chosen], 95)) for n in ("p95_mm", "angle_deg"))
        told = sum(case.doubtful for case in chosen)
        targets.append(
            Target(
                f"CT to CT, {len(chosen)} moved femora, {group}: 95th percentile <= {LIMB_P95_MM:g} mm and "
                f"<= {LIMB_P95_DEG:g}°",
                f"{error:.2f} mm and {angle:.2f}°" + (f"; {told} of them told as doubtful" if told else ""),
                error <= LIMB_P95_MM and angle <= LIMB_P95_DEG,
            )
        )
    return (*targets, *_judged_unmoved("CT to CT, femora", cases))


def judged_planar(cases: Sequence[PlanarCase]) -> tuple[Target, ...]:
    """Compare what was found of planar views with what is asked: each matrix apart, the unmoved together."""
    targets = []
    for group in dict.fromkeys(case.group for case in cases if case.moved):
        pixels = [case.p95_mm / case.pixel_mm for case in cases if case.moved and case.group == group]
        error = float(np.percentile(pixels, 95))
        targets.append(
            Target(
                f"planar to planar, {len(pixels)} pairs, {group}: 95th percentile <= {PLANAR_P95_PIXELS:g} pixel",
                f"{error:.2f} pixels",
                error <= PLANAR_P95_PIXELS,
            )
        )
    return (*targets, *_judged_unmoved("planar to planar, views", cases))


def _judged_unmoved(what: str, cases: Sequence[LimbCase] | Sequence[PlanarCase]) -> tuple[Target, ...]:
    kept = [case.kept for case in cases if not case.moved]
    if not kept:
        return ()
    return (Target(f"{what} that lie alike keep the identity", f"{sum(kept)} of {len(kept)}", all(kept)),)


def moved_table(limbs: Sequence[LimbCase], planar: Sequence[PlanarCase]) -> list[tuple[str, ...]]:
    """Give errors by group: a heading, then a row each."""
    rows: list[tuple[str, ...]] = [
        ("kind", "group", "cases", "before, mm", "95th, mm", "largest, mm", "95th, degrees", "left as they lay", "s")
    ]
    for kind, cases in (("femora", limbs), ("planar", planar)):
        for group, moved in dict.fromkeys((case.group, case.moved) for case in cases):
            chosen = [case for case in cases if (case.group, case.moved) == (group, moved)]
            errors, angles = [case.p95_mm for case in chosen], [case.angle_deg for case in chosen]
            rows.append(
                (
                    kind, group if moved else f"{group}, unmoved", str(len(chosen)),
                    f"{np.mean([case.before_mm for case in chosen]):.1f}", f"{np.percentile(errors, 95):.2f}",
                    f"{max(errors):.2f}", f"{np.percentile(angles, 95):.2f}",
                    f"{np.mean([case.kept for case in chosen]):.0%}",
                    f"{np.median([case.seconds for case in chosen]):.1f}",
                )
            )  # fmt: skip
    return rows
