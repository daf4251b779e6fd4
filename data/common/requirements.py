"""Requirements and extras of the installed package, read from its metadata."""

import re
from importlib.util import find_spec

from ser_images.data.common.errors import UserError

PACKAGE = "ser-images"
_DISTRIBUTIONS = {
    "minisign": "py-minisign",
    "mlflow": "mlflow-skinny",
    "sklearn": "scikit-learn",
    "pil": "pillow",
    "upath": "universal-pathlib",
}
"""Modules whose distribution has another name."""
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")


def installed_version() -> str:
    """The version of the installed package; `unknown` in a checkout that is not installed."""
    from importlib import metadata  # 30 ms: imported only when needed

    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"


def require_installed(module: str) -> None:
    """Raises UserError with the command that installs a module which is not there; does not import it."""
    if find_spec(module) is None:
        raise UserError(not_installed(module))


def not_installed(module: str) -> str:
    """The message for a module that is not there."""
    return f"{module} is not installed; install it: {install_command(module) or f'pip install {module}'}"


def install_command(module: str) -> str | None:
    """The command that installs a module which the package requires, with the extra that brings it.

    Returns:
        `pip install 'ser-images[train]'` or the like; None for a module that is no requirement of ours, or our own.
    """
    from importlib import metadata

    if _module_distribution(module) == PACKAGE:
        return None
    try:
        requirements = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    extras = [
        _extra(requirement)
        for requirement in requirements
        if _distribution(requirement) == _module_distribution(module)
    ]
    if not extras:
        return None
    return f"pip install {PACKAGE}" if "" in extras else f"pip install '{PACKAGE}[{extras[0]}]'"


def _module_distribution(module: str) -> str:
    top = module.partition(".")[0].lower().replace("_", "-")
    return _DISTRIBUTIONS.get(top, top)


def _distribution(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    return match.group().lower().replace("_", "-") if match else ""


def _extra(requirement: str) -> str:
    match = _EXTRA.search(requirement)
    return match.group(1) if match else ""
