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
from ser_images.data.common.folders import locked, new_file
from ser_images.data.common.text import one_line
from ser_images.export.bundle.files import SIGNATURE, SUMS, BundleFiles
from ser_images.export.bundle.packaging import member
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
    if not run.is_dir():
        _add_to_zip(run, _signature(run, key))
        return
    with locked(run), new_file(run / SIGNATURE) as part:  # no other command changes the run meanwhile
        part.write_bytes(_signature(run, key))


def _signature(run: Path, key: Path) -> bytes:
    files, bundle = open_bundle(run)
    files.require_no_other_model()
    if not run.is_dir() and files.signature() is not None:
        raise UserError(f"{run}: signed already; write the zip again with ser-export, and sign that")
    comment = f"timestamp:{int(time.time())}\tfile:{SUMS}\tmodel:{bundle.model_id}"
    return sign(files.content, key, comment, lambda: _password(key))


def signed_comment(run: Path, key: Path) -> str:
    """The comment in the signature of a folder or a zip, which the public key in a file confirms.

    Raises:
        UserError: no bundle, no such signature, or a model that it does not cover.
    """
    files = BundleFiles.listed(run, key)
    files.require_no_other_model()
    return one_line((files.signed or "").replace("\t", " "))


def _add_to_zip(path: Path, signature: bytes) -> None:
    with new_file(path) as part:
        shutil.copy(path, part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(member(SIGNATURE), signature)


def _password(key: Path) -> str:
    if (password := os.environ.get(PASSWORD)) is not None:
        return password
    if not sys.stdin.isatty():
        raise UserError(f"{key}: needs its password; run this in a terminal, or set {PASSWORD}")
    return getpass(f"Password of {key}: ")
