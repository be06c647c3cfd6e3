"""What can be found wrong with the views of an acquisition, and the sentences that tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ViewKind = Literal["axial motion", "transverse motion", "counts", "no counts"]


@dataclass(frozen=True, slots=True)
class ViewFinding:
    """Views that do not fit their neighbours.

    Parameters
    ----------
    kind : ViewKind
        ``axial motion`` along the axis of rotation, ``transverse motion`` across the detector, ``counts`` that change
        suddenly, or ``no counts`` of a head at all.
    heads : tuple of int
        The heads that show it, from 1.
    first_view : int
        The first view that is displaced, from 1 in the order each head took them.
    last_view : int or None
        The last one; None where it stays so to the end.
    size, uncertainty : float
        mm (positive: towards the feet, or to the right as seen from behind the detector), or % of the counts expected;
        one standard deviation.
    """

    kind: ViewKind
    heads: tuple[int, ...]
    first_view: int
    last_view: int | None
    size: float
    uncertainty: float

    @property
    def unit(self) -> str:
        """Unit of `size`."""
        return "mm" if self.kind in ("axial motion", "transverse motion") else "%"

    def sentence(self) -> str:
        """Tell it in one sentence."""
        heads, views = _heads(self.heads), self._views()
        spread = f"{abs(self.size):.1f} +- {self.uncertainty:.1f} mm"
        if self.kind == "no counts":
            return (
                f"{heads[0].upper()}{heads[1:]} counted next to nothing: {100 + self.size:.1f} % of the other's counts."
            )
        if self.kind == "counts":
            more = "more" if self.size > 0 else "fewer"
            return (
                f"{views[0].upper()}{views[1:]} of {heads} count{'' if self._several else 's'} "
                f"{abs(self.size):.0f} +- {self.uncertainty:.0f} % {more} than the neighbouring views let expect."
            )
        if self.kind == "axial motion":
            return (
                f"The activity lies {spread} nearer to the {'feet' if self.size > 0 else 'head'} in {views} of {heads} "
                "than before: the patient moved along the axis."
            )
        return (
            f"The activity lies {spread} aside in {views} of {heads} against its path before: the patient moved across "
            "the axis."
        )

    @property
    def _several(self) -> bool:
        return self.last_view != self.first_view

    def _views(self) -> str:
        if self.last_view is None:
            return f"the views from view {self.first_view} on"
        if self.last_view == self.first_view:
            return f"view {self.first_view}"
        return f"views {self.first_view} to {self.last_view}"


def _heads(heads: tuple[int, ...]) -> str:
    if len(heads) == 1:
        return f"head {heads[0]}"
    return f"heads {', '.join(str(head) for head in heads[:-1])} and {heads[-1]}"


@dataclass(frozen=True, slots=True)
class NonUniformity:
    """A place of a detector that counts more or less than its surroundings in nearly every view.

    Parameters
    ----------
    head : int
        From 1.
    row, column : int
        Its middle, from 1 at the upper left of the projections.
    rows, columns : int
        Its extent in pixels.
    deviation_percent, uncertainty_percent : float
        Of what its surroundings count; one standard deviation.
    """

    head: int
    row: int
    column: int
    rows: int
    columns: int
    deviation_percent: float
    uncertainty_percent: float

    def sentence(self) -> str:
        """Tell it in one sentence."""
        more = "more" if self.deviation_percent > 0 else "less"
        extent = "one pixel" if self.rows == self.columns == 1 else f"{self.rows} x {self.columns} pixels"
        return (
            f"Head {self.head} counts {abs(self.deviation_percent):.0f} +- {self.uncertainty_percent:.0f} % {more} at "
            f"row {self.row}, column {self.column} ({extent}) than around it in nearly all views: check the detector's "
            "uniformity."
        )
