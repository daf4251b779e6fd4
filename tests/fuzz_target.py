"""A target of the fuzzing: bytes that anybody may have written, and what programs do with them.

target = Target((b"{}",), (use,)).prepared(folder); target(content)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fuzz_guard import FIXTURES
from mutation import accepted_or_refused
from ser_images.spectrogram_gen.spec import ImageSpec

Use = Callable[[bytes, Path], object]
SMALL = ImageSpec(n_mels=32, hop_length=1500)


@dataclass(frozen=True)
class Target:
    """Bytes of one kind.

    Attributes:
        seeds: valid ones, which are mutated.
        uses: what programs do with them, in a folder of the target's own; each may refuse them.
        files: what that folder holds.
    """

    seeds: tuple[bytes, ...]
    uses: tuple[Use, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)

    def prepared(self, folder: Path) -> Callable[[bytes], None]:
        """What is done with the bytes, in a new folder; raises anything but a UserError of one line."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return partial(self._use, folder)

    def _use(self, folder: Path, content: bytes) -> None:
        for use in self.uses:
            with accepted_or_refused():
                use(content, folder)


def seeds_of(name: str) -> tuple[bytes, ...]:
    """The seeds that the tree holds of a target."""
    return tuple(path.read_bytes() for path in sorted((FIXTURES / name).iterdir()))


def written(content: bytes, path: Path) -> Path:
    """The path, once the bytes are there."""
    path.write_bytes(content)
    return path
