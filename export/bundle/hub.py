"""Bundles in model repositories of the Hugging Face Hub: fetched once, and kept at the commit of the first use.

folder = fetch("hub:owner/name")                    # the commit that the repository has today, from then on
folder = fetch("hub:owner/name@5f3c…")              # this one

What `ser-export --to hub-folder` writes can be uploaded, and is what this reads. Pickles are never fetched.
It needs the extra `hub`.
"""

import logging
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from platformdirs import user_cache_path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import moved_into_place, require_writable
from ser_images.data.lineage import LINEAGE
from ser_images.export.bundle.bundle import BUNDLE, CARD, FRONTEND, HUB, INT8, ONNX, WEIGHTS
from ser_images.export.bundle.files import SIGNATURE, SUMS, BundleFiles

LOGGER = logging.getLogger("ser_images")
FETCHED = (".gitattributes", SUMS, SIGNATURE, BUNDLE, CARD, ONNX, INT8, FRONTEND, WEIGHTS, LINEAGE)
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt", ".joblib", ".msgpack", ".h5", ".npy", ".npz")
"""Endings of files that can run code when they are loaded, or hold what can."""
_PINNED = "pinned"
_NAME = re.compile(r"(?P<owner>[\w-][\w.-]*)/(?P<name>[\w-][\w.-]*)(?:@(?P<commit>[0-9a-f]{40}))?")


@dataclass(frozen=True)
class HubModel:
    """A model repository; `commit` is empty where the first use chose it, or will choose it."""

    repository: str
    commit: str = ""

    @classmethod
    def parse(cls, text: str) -> "HubModel":
        """From `hub:owner/name` or `hub:owner/name@COMMIT`; raises UserError for anything else."""
        match = _NAME.fullmatch(text.removeprefix(HUB))
        if not text.startswith(HUB) or not match:
            raise UserError(
                f"{text}: expected hub:OWNER/NAME, or hub:OWNER/NAME@ and the 40 digits of a commit (a branch or tag "
                f"can be moved to other files)"
            )
        return cls(f"{match['owner']}/{match['name']}", match["commit"] or "")

    @property
    def folder(self) -> Path:
        """Where its commits are kept."""
        return user_cache_path("ser-images") / "hub" / self.repository

    @property
    def pinned(self) -> str:
        """The commit of the first use; empty before."""
        try:
            return (self.folder / _PINNED).read_text("utf-8").strip()
        except OSError:
            return ""

    @property
    def fetched(self) -> Path | None:
        """The folder of its commit, or of that of the first use; None before it is fetched."""
        commit = self.commit or self.pinned
        found = self.folder / commit
        return found if commit and found.is_dir() else None


def fetch(text: str, endpoint: str | None = None) -> Path:
    """The folder of a model in a repository; without network where it was fetched before.

    Args:
        text: as `HubModel.parse` takes it.
        endpoint: address of the Hub; None: that of huggingface_hub (`HF_ENDPOINT`).

    Raises:
        UserError: no such repository or commit, one that holds a pickle, no bundle in it, or files that are not those
            of its `SHA256SUMS`.
    """
    model = HubModel.parse(text)
    if found := model.fetched:
        return found
    from filelock import FileLock

    require_writable(model.folder.parent)
    lock = model.folder.with_name(f".{model.folder.name}.lock")
    with FileLock(lock):  # programs that start together fetch a model once
        if found := model.fetched:
            return found
        commit = _download(model, model.commit or model.pinned, endpoint)
        if not model.commit and not model.pinned:
            (model.folder / _PINNED).write_text(f"{commit}\n", encoding="utf-8")
    return model.folder / commit


def _download(model: HubModel, commit: str, endpoint: str | None) -> str:
    """Fetch one commit, the latest where none is given, and check its sums; the commit."""
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # of the HTTP library that it uses

    name = f"{HUB}{model.repository}"
    try:
        info = HfApi(endpoint).model_info(model.repository, revision=commit or None)
        found = str(info.sha)
        if commit and found != commit:
            raise UserError(f"{name}@{commit}: the server has commit {found} under this name; nothing was fetched")
        files = {sibling.rfilename for sibling in info.siblings or ()}
        _require_safe(f"{name}@{found}", files)
        with moved_into_place(model.folder / found) as folder:
            for file in FETCHED:
                if file in files:
                    hf_hub_download(model.repository, file, revision=found, local_dir=folder, endpoint=endpoint)
            BundleFiles.open(folder)
    except (HTTPError, OSError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"{name}: cannot be fetched ({reason}); check the name, or the network") from error
    LOGGER.info(f"{name}: fetched commit {found}; its README.md names the licence")
    return found


def _require_safe(name: str, files: set[str]) -> None:
    if dangerous := sorted(file for file in files if PurePosixPath(file).suffix.lower() in PICKLES):
        raise UserError(
            f"{name}: holds {dangerous[0]}, which can run code when it is loaded; expected ONNX and safetensors only"
        )
    if not {SUMS, BUNDLE} <= files:
        raise UserError(
            f"{name}: no model of ser-images (it has no {BUNDLE}); expected what ser-export --to hub-folder writes"
        )


def fetched_models() -> list[tuple[str, Path]]:
    """The models that were fetched before, by name: what to give as model, and the folder of the commit.

    The commit of the first use has the name without commit, which means it.
    """
    folder = user_cache_path("ser-images") / "hub"
    found = []
    for path in sorted(folder.glob(f"*/*/*/{BUNDLE}")):
        repository, commit = path.parent.parent.relative_to(folder).as_posix(), path.parent.name
        if re.fullmatch("[0-9a-f]{40}", commit):
            pinned = HubModel(repository).pinned == commit
            found.append((f"{HUB}{repository}" + ("" if pinned else f"@{commit}"), path.parent))
    return found
