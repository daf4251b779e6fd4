"""The synthetic corpus: computed voices in files named as in RAVDESS.

write(Path("voices"), actors=8, seed=0)
"""

import zlib
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

from ser_images.data.common.errors import UserError
from ser_images.data.labels import EMOTIONS
from ser_images.data.sound_files import sound_files
from ser_images.data.synthesis.prosody import draw_prosody
from ser_images.data.synthesis.voice import RATE_HZ, SENTENCES, Voice, speak

STRENGTHS = {"01": 0.8, "02": 1.15}
"""Strength of the emotion in a normal and a strong rendition; 0 is neutral, 1 the full emotion."""
MAX_ACTORS = 99
MARKER = "SYNTHETIC.txt"
"""File in the corpus folder that marks it as synthetic: its file names are those of RAVDESS."""


def names(actors: int, repetitions: int) -> Iterator[str]:
    """RAVDESS names of the whole corpus; neutral has no strong intensity."""
    for actor, emotion, intensity, statement, repetition in product(
        range(1, actors + 1), range(1, len(EMOTIONS) + 1), STRENGTHS, SENTENCES, range(1, repetitions + 1)
    ):
        if EMOTIONS[emotion - 1] != "neutral" or intensity == "01":
            yield f"03-01-{emotion:02}-{intensity}-{statement}-{repetition:02}-{actor:02}"


def write(
    folder: Path,
    actors: int = 8,
    repetitions: int = 2,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> int:
    """Write the corpus as `Actor_NN/NAME.wav`, 48 kHz and 16 bits; the same seed writes the same bytes.

    Args:
        actors: speakers, odd ones male and even ones female.
        repetitions: renditions of each statement in each emotion and intensity.
        progress: called with the number of files done.

    Returns:
        The number of recordings; existing files are kept.

    Raises:
        UserError: a number out of range, a folder of other recordings, or one that cannot be written.
    """
    if not 1 <= actors <= MAX_ACTORS:
        raise UserError(f"--actors {actors}: expected 1 to {MAX_ACTORS}")
    if not 1 <= repetitions <= 99:
        raise UserError(f"--repetitions {repetitions}: expected 1 to 99")
    if not (folder / MARKER).exists() and folder.is_dir() and sound_files(folder):
        raise UserError(f"{folder}: holds recordings that were not synthesized; give a new folder")
    written = 0
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARKER).write_text("These recordings were computed by ser-images; nobody spoke.\n", encoding="utf-8")
        for name in names(actors, repetitions):
            path = folder / f"Actor_{name[-2:]}" / f"{name}.wav"
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                part = path.with_suffix(".wav.part")
                soundfile.write(part, recording(name, seed), RATE_HZ, subtype="PCM_16", format="WAV")
                part.replace(path)
            written += 1
            progress(written)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another folder") from error
    return written


def recording(name: str, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    """The sound of one name: mono float32 at 48 kHz, shape (n,)."""
    _, _, emotion, intensity, statement, _, actor = name.split("-")
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    voice = Voice.of(int(actor), seed)
    strength = STRENGTHS[intensity] * voice.expressiveness
    return speak(statement, voice, draw_prosody(EMOTIONS[int(emotion) - 1], strength, rng), rng)
