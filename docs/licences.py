"""Writes docs/reference/licences.md: the licence of each package that an installation brings, as its metadata says it.

python docs/licences.py docs/reference/licences.md
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ser_images.data.common.toml_file import read_toml

ROOT = Path(__file__).parent.parent
PROJECT = read_toml(ROOT / "pyproject.toml")["project"]
SECTIONS = {
    "": "Without extras",
    "serve": "Extra `serve`",
    "sign": "Extra `sign`",
    "hub": "Extra `hub`",
    "s3": "Extra `s3`",
    "parquet": "Extra `parquet`",
    "train": "Extra `train`",
    "corpora": "Extra `corpora`",
    "dask": "Extra `dask`",
    "ray": "Extra `ray`",
    "timm": "Extra `timm`",
    "tune": "Extra `tune`",
    "distributed": "Extra `distributed`",
    "tensorboard": "Extra `tensorboard`",
    "wandb": "Extra `wandb`",
    "mlflow": "Extra `mlflow`",
}
SYSTEMS: tuple[dict[str, str], ...] = (
    {},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
    {"python_version": "3.10", "python_full_version": "3.10.0"},
)
"""What markers are evaluated for: where this runs, and the other systems."""
ELSEWHERE = {"async-timeout": "Apache-2.0", "exceptiongroup": "MIT", "tomli": "MIT", "tzdata": "Apache-2.0"}
"""Packages that only Python 3.10 or Windows needs."""
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # of python-dateutil
    "BSD 3-Clause License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "NVIDIA Proprietary Software": "LicenseRef-NVIDIA-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
}
"""Texts of metadata older than licence expressions; BSD: the metadata does not say which."""
ALLOWED = {
    "0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "LLVM-exception", "MIT",
    "MIT-0", "MIT-CMU", "PSF-2.0", "Zlib",
}  # fmt: skip
"""They require no more than their own text in a copy."""
EXCEPTIONS = {
    "certifi": "MPL-2.0",
    "cuda-toolkit": "",
    "nvidia-*": "LicenseRef-NVIDIA-Proprietary",
    "soxr": "LGPL-2.1-or-later",
    "tqdm": "MPL-2.0 AND MIT",
}
"""Packages with another licence; the page says what each means."""


def page() -> str:
    """The page: its text with a table of packages by extra, each where it is needed first."""
    named: set[str] = set()
    parts = [TEXT]
    for extra, title in SECTIONS.items():
        new = sorted(packages(extra) - named)
        named.update(new)
        parts.append(table(title, {name: licence(name) for name in new}))
    parts.append(table("The page", page_packages()))
    return "\n".join(parts)


def table(title: str, licences: Mapping[str, str]) -> str:
    """A heading and a table; raises ValueError for a licence that is neither allowed nor an exception."""
    require_allowed(licences)
    rows = (f"| {name} | {one or 'not stated'} |" for name, one in licences.items())
    return "\n".join([f"### {title}\n", "| package | licence |", "|---|---|", *rows, ""])


def require_allowed(licences: Mapping[str, str]) -> None:
    for name, one in licences.items():
        parts = set(re.split(r" (?:AND|OR|WITH) |[()]", one)) - {""}
        exception = any(fnmatch(name, pattern) and one == other for pattern, other in EXCEPTIONS.items())
        if not exception and not (parts and parts <= ALLOWED):
            raise ValueError(f"{name}: licence {one!r}, expected one of {sorted(ALLOWED)}, or a named exception")


def page_packages() -> dict[str, str]:
    """What npm installs for the page in JavaScript, without what only its tests need."""
    lock = json.loads((ROOT / "predict/page/package-lock.json").read_text())["packages"]
    needed = {path: one for path, one in lock.items() if path and not one.get("dev")}
    return {path.rpartition("node_modules/")[2]: one["license"] for path, one in sorted(needed.items())}


def packages(extra: str) -> set[str]:
    """The packages that an installation with this extra brings, on any system."""
    wanted = [*requirements("ser-images", ""), *(requirements("ser-images", extra) if extra else ())]
    return {name for system in SYSTEMS for name in closure(wanted, system)} - {"ser-images"}


def closure(wanted: Iterable[Requirement], system: dict[str, str]) -> set[str]:
    """The names of the packages that these requirements bring, with theirs, and so on."""
    found: set[tuple[str, str]] = set()
    waiting = [one for one in wanted if holds(one, system, "")]
    while waiting:
        one = waiting.pop()
        for key in {(canonicalize_name(one.name), extra) for extra in ("", *one.extras)} - found:
            found.add(key)
            waiting += (new for new in requirements(*key) if holds(new, system, key[1]))
    return {name for name, _ in found}


def holds(one: Requirement, system: dict[str, str], extra: str) -> bool:
    return one.marker is None or one.marker.evaluate({**system, "extra": extra})


def requirements(name: str, extra: str) -> Iterator[Requirement]:
    """Of an installed package; of this one, those in pyproject.toml."""
    if name == "ser-images":
        yield from map(Requirement, PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"])
    elif name not in ELSEWHERE:
        yield from map(Requirement, distribution(name).requires or ())


def licence(name: str) -> str:
    """The licence of an installed package as SPDX names it; empty where its metadata says nothing."""
    if name in ELSEWHERE:
        return ELSEWHERE[name]
    metadata = distribution(name).metadata
    classifiers = [one.rpartition(" :: ")[2] for one in metadata.get_all("Classifier", ()) if one.startswith("License")]
    text = (metadata["License"] or "").strip()
    stated = metadata["License-Expression"] or ("" if "\n" in text else text) or " OR ".join(classifiers)
    return SPDX.get(stated, stated)


TEXT = """# Licences

<!-- written by python docs/licences.py docs/reference/licences.md -->

The code of ser-images is under the MIT licence. The tables name every package that an installation brings, on Linux,
Windows and macOS, with the licence that its metadata states. Nearly all require no more than their own text in a copy.

## Exceptions

| what | licence | what it means |
|---|---|---|
| the model of the package | CC BY-NC-SA 4.0 | not for commercial use, as the corpora that it was trained on; \
a model of your own has the licence that you give it |
| libsndfile, in the wheels of soundfile; soxr | LGPL 2.1 or later | used as a library, which the user can exchange: \
your code stays yours |
| certifi, tqdm (in part) | MPL 2.0 | changes to their own files stay under it |
| the libraries of CUDA, with torch on Linux | NVIDIA's own | no free software; torch without them: \
its builds for the CPU |

Prediction needs neither certifi, tqdm nor CUDA. PortAudio, which sounddevice brings on Windows and macOS, is under MIT.

## Packages
"""

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
