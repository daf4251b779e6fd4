"""Draws docs/example.svg: the spectrogram image of a synthetic voice and the probability of each emotion.

python docs/example.py RUN RECORDING docs/example.svg
"""

import base64
import io
import json
import subprocess
import sys
from pathlib import Path

from PIL import Image

from ser_images.spectrogram_gen.render import render
from ser_images.spectrogram_gen.sound_file import read_mono
from ser_images.spectrogram_gen.spec import ImageSpec

ROW, TOP, SIZE, BARS = 32, 34, 256, 470
"""Pixels: height of a row, top of the image and its edge, left end of the bars."""


def draw(run: Path, recording: Path) -> str:
    """The SVG of one recording and its prediction by `run`."""
    command = ["ser-predict", "file", recording, "--model", run, "--format", "json"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    probabilities = found[0]["probabilities"]
    rows = "".join(_row(rank, *item) for rank, item in enumerate(sorted(probabilities.items(), key=lambda x: -x[1])))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {TOP + SIZE + 14}" font-family="sans-serif" '
        f'font-size="15"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="20" y="22" fill="#555">a synthetic voice as an image, 3 s</text>'
        f'<text x="{BARS}" y="22" fill="#555">probability</text>'
        f'<image x="20" y="{TOP}" width="{SIZE}" height="{SIZE}" href="data:image/png;base64,{_png(recording)}"/>'
        f"{rows}</svg>\n"
    )


def _png(recording: Path) -> str:
    image = render(*read_mono(recording), ImageSpec())
    buffer = io.BytesIO()
    image.resize((SIZE, SIZE), Image.Resampling.NEAREST).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _row(rank: int, label: str, probability: float) -> str:
    y, colour = TOP + rank * ROW, "#3f51b5" if rank == 0 else "#b0b7d6"
    return (
        f'<text x="{BARS - 12}" y="{y + 20}" text-anchor="end">{label}</text>'
        f'<rect x="{BARS}" y="{y + 4}" width="{max(1, 200 * probability):.0f}" height="22" fill="{colour}"/>'
        f'<text x="{BARS + 8 + 200 * probability:.0f}" y="{y + 20}">{probability:.1%}</text>'
    )


if __name__ == "__main__":
    run, recording, out = map(Path, sys.argv[1:])
    out.write_text(draw(run, recording))
