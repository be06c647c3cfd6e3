"""The page of a benchmark: figures drawn into its folder and into one HTML file that opens offline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from leukospect import __version__


@dataclass(frozen=True, slots=True)
class ShownFigure:
    """A figure of the page.

    Parameters
    ----------
    name, caption : str
    data : str
        The PNG in base 64.
    """

    name: str
    caption: str
    data: str


def drawn_figures(
    folder: Path, figures: Mapping[str, Figure], captions: Mapping[str, str], *, dpi: int, vector: bool = False
) -> list[ShownFigure]:
    """Write each figure as PNG, and as SVG where that is asked for, the same to the byte on every run."""
    shown = []
    for name, figure in figures.items():
        FigureCanvasAgg(figure)
        figure.savefig(folder / f"{name}.png", dpi=dpi, metadata={"Software": None})
        if vector:
            with mpl.rc_context({"svg.hashsalt": "leukospect"}):
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        data = base64.b64encode((folder / f"{name}.png").read_bytes()).decode()
        shown.append(ShownFigure(name, captions[name], data))
    return shown


def write_page(path: Path, **values: object) -> None:
    """Fill the template of a page's own name and write it.

    Parameters
    ----------
    path : Path
        ``metal.html`` is filled from the template of that name.
    **values
        What the template shows, besides the version: `targets` and `figures` at least.
    """
    environment = Environment(
        loader=PackageLoader("leukospect.benchmark", "templates"), autoescape=True, undefined=StrictUndefined
    )
    path.write_text(environment.get_template(path.name).render(version=__version__, **values), encoding="utf-8")
