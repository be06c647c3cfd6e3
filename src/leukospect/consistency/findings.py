"""What can be found wrong with the views of an acquisition, and the sentences that tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_NEXT_TO_NOTHING = -97.0
_TENFOLD = 900.0
_LONG = 10  # times: then it is whole rows or columns
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
        mm (positive: towards the feet, or to the right as seen from behind the first of the heads), or % of the counts
        expected; one standard deviation.
    heads_looking : int
        How many heads could have seen a motion.
    """

    kind: ViewKind
    heads: tuple[int, ...]
    first_view: int
    last_view: int | None
    size: float
    uncertainty: float
    heads_looking: int = 1

    @property
    def unit(self) -> str:
        """Unit of `size`."""
        return "mm" if self.kind in ("axial motion", "transverse motion") else "%"

    def sentence(self) -> str:
        """Tell it in one sentence."""
        heads, see = _heads(self.heads), "see" if len(self.heads) > 1 else "sees"
        spread = f"{abs(self.size):.1f} +- {self.uncertainty:.1f} mm"
        if self.kind == "no counts":
            return f"{heads.capitalize()} counts next to nothing: {100 + self.size:.1f} % of what the other one does."
        if self.kind == "counts" and self.size < _NEXT_TO_NOTHING:
            return f"{self._where()}, {heads} counts next to nothing."
        if self.kind == "counts":
            more = "more" if self.size > 0 else "less"
            return (
                f"{self._where()}, {heads} counts {abs(self.size):.0f} +- {self.uncertainty:.0f} % {more} than the "
                "neighbouring views let expect."
            )
        if self.kind == "axial motion":
            side, axis = f"{spread} nearer to the {'feet' if self.size > 0 else 'head'} than in", "along"
        else:
            side, axis = f"{spread} off the path that it follows through", "across"
        why = f"the patient seems to have moved {axis} the axis"
        if len(self.heads) < self.heads_looking:
            why = "as the other head does not, check this one's alignment"
        return f"{self._where()}, {heads} {see} the activity {side} the neighbouring views: {why}."

    def _where(self) -> str:
        if self.last_view is None:
            return f"From view {self.first_view} on"
        if self.last_view == self.first_view:
            return f"In view {self.first_view}"
        return f"In views {self.first_view} to {self.last_view}"


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
        Its middle, from 1 at the upper left of the projections; of an even number of pixels the first of the two.
    rows, columns : int
        Its extent in pixels; all of the detector where it is whole rows or columns.
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
        if self.deviation_percent > _TENFOLD:
            how_much = "more than ten times as much"
        else:
            more = "more" if self.deviation_percent > 0 else "less"
            how_much = f"{abs(self.deviation_percent):.0f} +- {self.uncertainty_percent:.0f} % {more}"
        return (
            f"Head {self.head} counts {how_much} {self._where()} than around it in nearly all views: check the "
            "detector's uniformity."
        )

    def _where(self) -> str:
        if self.rows > _LONG * self.columns:
            return f"all along {_lines('column', self.column, self.columns)}"
        if self.columns > _LONG * self.rows:
            return f"all along {_lines('row', self.row, self.rows)}"
        extent = "one pixel" if self.rows == self.columns == 1 else f"{self.rows} x {self.columns} pixels"
        return f"at row {self.row}, column {self.column} ({extent})"


def _lines(kind: str, middle: int, number: int) -> str:
    first = middle - (number - 1) // 2
    return f"{kind} {first}" if number == 1 else f"{kind}s {first} to {first + number - 1}"
