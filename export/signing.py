"""Sign a bundle: `SHA256SUMS.minisig` is a signature of its sums, and so of every file that they list.

sign_bundle(Path("runs/first"), Path("author.key"))
"""

import os
import shutil
import sys
import time
import zipfile
from getpass import getpass
from pathlib import Path

from ser_images.data.common.errors import UserError
from ser_images.data.common.folders import file_moved_into_place
from ser_images.data.common.text import one_line
from ser_images.export.bundle.files import SIGNATURE, SUMS, BundleFiles
from ser_images.export.bundle.signature import sign
from ser_images.export.models import open_bundle

PASSWORD = "SER_IMAGES_KEY_PASSWORD"
"""The variable with the password of a secret key, for programs; people are asked."""


def sign_bundle(run: Path, key: Path) -> None:
    """Write the signature into a run folder, or into a zip that has none.

    Args:
        key: file of the secret key, as minisign writes it.

    Raises:
        UserError: no bundle, a model in it that its sums do not list, or as `sign`.
    """
    files, bundle = open_bundle(run)
    files.require_no_other_model()
    if not run.is_dir() and files.signature() is not None:
        raise UserError(f"{run}: signed already; write the zip again with ser-export, and sign that")
    comment = f"timestamp:{int(time.time())}\tfile:{SUMS}\tmodel:{bundle.model_id}"
    signature = sign(files.content, key, comment, lambda: _password(key))
    if run.is_dir():
        with file_moved_into_place(run / SIGNATURE) as file:
            file.write(signature.decode())
    else:
        _add_to_zip(run, signature)


def signed_comment(run: Path, key: Path) -> str:
    """The comment in the signature of a folder or a zip, which the public key in a file confirms.

    Raises:
        UserError: no bundle, no such signature, or a model that it does not cover.
    """
    files = BundleFiles.listed(run, key)
    files.require_no_other_model()
    return one_line((files.signed or "").replace("\t", " "))


def _add_to_zip(path: Path, signature: bytes) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        shutil.copyfile(path, part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(SIGNATURE, signature)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _password(key: Path) -> str:
    if (password := os.environ.get(PASSWORD)) is not None:
        return password
    if not sys.stdin.isatty():
        raise UserError(f"{key}: needs its password; run this in a terminal, or set {PASSWORD}")
    return getpass(f"Password of {key}: ")
