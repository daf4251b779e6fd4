"""Access to the service: a bearer token, and the origins of web pages."""

import secrets
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket

from ser_images.data.common.errors import UserError

SUBPROTOCOL = "ser-images"
_TOKEN_SUBPROTOCOL = "bearer."
"""Browsers give a web socket no headers: a page offers the subprotocols `ser-images` and `bearer.TOKEN`."""


def read_token(path: Path) -> str:
    """The token in a file, without the white space around it.

    Raises:
        UserError: no such file, an empty one, or a token that no header can carry.
    """
    try:
        token = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not ASCII"
        raise UserError(f"--token-file {path}: {reason}; expected a file with one token") from error
    if not token or not token.isprintable() or " " in token:
        what = "several words" if token else "empty"
        raise UserError(f"--token-file {path}: {what}; expected one token, such as openssl rand -hex 32 prints")
    return token


def require_token(connection: HTTPConnection, token: str) -> None:
    """Raises HTTPException, status 401, where there is a token and a request carries another one or none."""
    given = (one.encode() for one in _given_tokens(connection))
    if token and not any(secrets.compare_digest(one, token.encode()) for one in given):
        raise HTTPException(401, "expected the header Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})


def _given_tokens(connection: HTTPConnection) -> list[str]:
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    offered = connection.scope.get("subprotocols", [])
    subprotocols = [one.removeprefix(_TOKEN_SUBPROTOCOL) for one in offered if one.startswith(_TOKEN_SUBPROTOCOL)]
    return [*([value.strip()] if scheme.lower() == "bearer" else []), *subprotocols]


def require_origin(websocket: WebSocket, allowed: tuple[str, ...]) -> None:
    """Raises HTTPException, status 403, for a page from elsewhere: browsers apply CORS to all but web sockets."""
    origin, host = websocket.headers.get("origin"), websocket.headers.get("host")
    if origin and urlsplit(origin).netloc != host and not {"*", origin} & set(allowed):
        raise HTTPException(403, f"a page from {origin} may not use this service; see --allow-origin")
