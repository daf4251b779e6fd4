"""Signatures in the format of minisign, made with a secret key and checked with the public one.

signature = sign(content, Path("author.key"), "release 1", getpass)

https://jedisct1.github.io/minisign/ describes the format. It needs the extra `sign`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ser_images.data.common.bounded_file import read_bounded
from ser_images.data.common.errors import UserError
from ser_images.data.common.requirements import require_installed

_MAX_KEY_BYTES = 2**12


def sign(content: bytes, key: Path, comment: str, password: Callable[[], str]) -> bytes:
    """The signature of this content, as the text of a `.minisig` file.

    Args:
        key: file of the secret key.
        comment: signed too, and shown to whoever checks the signature; one line of ASCII.
        password: called where the key is encrypted.

    Raises:
        UserError: the extra `sign` is not installed, no secret key, or another password.
    """
    minisign = _minisign()
    text = read_bounded(key, _MAX_KEY_BYTES)
    try:
        with minisign.SecretKey.from_bytes(text) as secret:
            if secret.is_encrypted():
                secret.decrypt(password())
            signature = secret.sign(content, trusted_comment=comment)
            secret.get_public_key().verify(content, signature)  # not so where a key is damaged
    except (minisign.Error, MemoryError) as error:
        raise UserError(f"{key}: cannot sign ({error}); expected a secret key of minisign and its password") from error
    return bytes(signature) + b"\n"


def require_signed(content: bytes, signature: bytes, key: Path, path: Path) -> str:
    """The comment in a signature that the public key in a file confirms.

    Args:
        path: where the signature comes from; errors name it.

    Raises:
        UserError: the extra `sign` is not installed, no public key, or no signature of this content by it.
    """
    minisign = _minisign()
    text = read_bounded(key, _MAX_KEY_BYTES)
    try:
        public = minisign.PublicKey.from_bytes(text)
    except minisign.Error as error:
        raise UserError(f"{key}: no public key of minisign ({error}); expected what minisign -G writes") from error
    try:
        found = minisign.Signature.from_bytes(signature)
        public.verify(content, found)
    except minisign.Error as error:
        raise UserError(
            f"{path}: no signature of these files by {key} ({error}): changed, or of another author; get them again"
        ) from error
    return str(found.trusted_comment)


def _minisign() -> Any:
    require_installed("minisign")
    import minisign

    return minisign
