"""Find the sound file that a table means, by its path as far as it fits.

file = SoundIndex(Path("nemo")).find(Path("nemo"), "WR0_surprised_64.wav")
"""

from collections import defaultdict
from pathlib import Path, PurePosixPath

from ser_images.data.common.errors import UserError
from ser_images.data.sound_files import sound_files


class SoundIndex:
    """The sound files below a folder, by the name without suffix.

    Attributes:
        root: that folder.
        files: all of them, sorted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = sound_files(root)
        self._known = set(self.files)
        self._by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in self.files:
            self._by_stem[path.stem].append(path)

    def find(self, folder: Path, name: str) -> Path:
        """The file that a table in `folder` calls `name`; suffix and folders may differ where only one file fits.

        Raises:
            UserError: no file fits, or several.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        for base in (folder, self.root):
            if base / wanted in self._known:
                return base / wanted
        fitting = self._fitting(wanted)
        if len(fitting) > 1:
            fitting = [path for path in fitting if path.suffix.lower() == wanted.suffix.lower()] or fitting
        if len(fitting) == 1:
            return fitting[0]
        found = ", ".join(path.relative_to(self.root).as_posix() for path in fitting[:2])
        raise UserError(f"{name!r} could be {found}" if fitting else f"no file {name!r}")

    def _fitting(self, wanted: PurePosixPath) -> list[Path]:
        """Files with the name and, where the path is relative, its folders; else, files with the name."""
        same_name = [*self._by_stem[wanted.stem]]
        if wanted.suffix and wanted.name != wanted.stem:
            same_name += self._by_stem[wanted.name]  # "a.1" is a name without a suffix
        if wanted.is_absolute():
            return same_name
        folders = wanted.parent.parts
        if not folders:
            return same_name
        return [path for path in same_name if path.relative_to(self.root).parent.parts[-len(folders) :] == folders]
