"""Paths that come from files: resolved below a root, or refused."""

from pathlib import Path, PurePosixPath, PureWindowsPath

from ser_images.data.common.addresses import is_local
from ser_images.data.common.errors import UserError


def resolve_below(root: Path, name: str, source: Path) -> Path:
    """The path `name` below `root`, with symbolic links followed.

    Use it, or `PathsBelow` for many, for every path that is read from a manifest, a bundle, a zip or a table, before
    the file is opened, replaced or removed.

    Args:
        root: the folder that the path must stay in.
        name: a relative path with `/`, as written in `source`.
        source: the file that holds `name`; errors name it.

    Returns:
        `root / name`, not resolved, so that messages stay short.

    Raises:
        UserError: an absolute path, one that leaves `root` (`..` or a link), or no path at all.
    """
    return PathsBelow(root, source).resolve(name)


class PathsBelow:
    """`resolve_below` for the many names in one file, whose folders are looked up once."""

    def __init__(self, root: Path, source: Path) -> None:
        self.root, self._source = root, source
        self._real_root = root.resolve()
        self._inside: dict[str, bool] = {}

    def resolve(self, name: str) -> Path:
        """As `resolve_below`."""
        plain = PurePosixPath(name)
        if not name or "\0" in name or plain.is_absolute() or PureWindowsPath(name).drive or "\\" in name:
            raise UserError(f"{self._source}: {name!r} is not a path below {self.root}; nothing was read or changed")
        path = self.root / str(plain)
        require_usable(path)
        if ".." in plain.parts or not self._stays(path, str(plain.parent)):
            raise UserError(f"{self._source}: {name!r} leads out of {self.root}; nothing was read or changed")
        return path

    def _stays(self, path: Path, folder: str) -> bool:
        if folder not in self._inside:
            self._inside[folder] = path.parent.resolve().is_relative_to(self._real_root)
        return self._inside[folder] and (not path.is_symlink() or path.resolve().is_relative_to(self._real_root))


def require_usable(path: Path) -> None:
    """Raise UserError for a path that no file can have, such as one that is too long; it need not exist."""
    try:
        if is_local(path):
            path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{str(path)[:200]}: no path that can be read ({reason})") from error
