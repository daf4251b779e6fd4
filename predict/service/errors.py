"""Errors as answers: one shape of JSON for all, `{"error": "…"}`, which huggingface_hub shows, too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio import move_on_after
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.websockets import WebSocket

from ser_images.data.common.errors import UserError

_REST_S = 2.0
"""How long the rest of a refused upload is read: many clients look for the answer only when they have sent all."""
_CLIENT_IS_GONE = 499  # as nginx logs it; nobody receives it


def add_error_answers(app: FastAPI) -> None:
    """Answer every error of the application in the one shape."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(UserError, _user)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(WebSocketRequestValidationError, _validation)
    app.add_exception_handler(ClientDisconnect, lambda *_: Response(status_code=_CLIENT_IS_GONE))
    app.add_exception_handler(Exception, lambda *_: error_answer(500, "an error of the service; see its log"))


@contextmanager
def errors_without_path(path: Path) -> Iterator[None]:
    """Take the path of a temporary file from the beginning of a UserError that is raised inside."""
    try:
        yield
    except UserError as error:
        raise UserError(str(error).removeprefix(f"{path}: ")) from error


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An answer in the one shape."""
    return JSONResponse({"error": message}, status, headers)


async def _http(connection: Any, error: Exception) -> Any:
    assert isinstance(error, HTTPException)
    headers = None if error.headers is None else dict(error.headers)
    return await _send(connection, error_answer(error.status_code, str(error.detail), headers))


async def _user(connection: Any, error: Exception) -> Any:
    return await _send(connection, error_answer(422, str(error)))


async def _validation(connection: Any, error: Exception) -> Any:
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)
    messages = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}, got {one['input']!r}" for one in error.errors()]
    return await _send(connection, error_answer(422, "; ".join(messages)))


async def _send(connection: HTTPConnection, response: Response) -> Response | None:
    if isinstance(connection, WebSocket):
        await connection.send_denial_response(response)
        return None
    assert isinstance(connection, Request)
    if response.status_code != 408 and "expect" not in connection.headers:  # these clients send nothing
        await _read_rest(connection)
    return response


async def _read_rest(request: Request) -> None:
    with move_on_after(_REST_S):
        try:
            async for _ in request.stream():
                pass
        except (ClientDisconnect, RuntimeError):  # gone, or all was read before
            return
