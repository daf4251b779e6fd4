"""The file of a plot, in the format that its suffix names.

write_plot(timeline_figure(recording, found), Path("meeting.svg"), [recording])
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ser_images.data.common.folders import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_plot(figure: "Figure", out: Path, inputs: Iterable[Path]) -> None:
    """Write a figure, whole or not at all; raises UserError as `new_file`."""
    with new_file(out, inputs) as part:
        figure.savefig(part, format=out.suffix[1:].lower())
