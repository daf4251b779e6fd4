"""The page at /: static files, answered from memory with media types that do not depend on the system."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ser_images.predict.webpage.static_files import INDEX, POLICY

_TEXT = "text/plain; charset=utf-8"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
_HEADERS = {
    "Cache-Control": "no-cache",  # browsers send the ETag: 304 while a file is unchanged
    "Content-Security-Policy": f"{POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def page_routes(files: Mapping[str, bytes]) -> list[Route]:
    """A route for each file, and / for the page itself.

    Args:
        files: content by relative path, as `site_files` returns them.
    """
    routes = [Route(f"/{name}", _answer(name, content)) for name, content in files.items()]
    return [Route("/", _answer(INDEX, files[INDEX])), *routes]


def _answer(name: str, content: bytes) -> Callable[[Request], Awaitable[Response]]:
    media_type = _MEDIA_TYPES.get(PurePosixPath(name).suffix, _TEXT)
    headers = _HEADERS | {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}

    async def answer(request: Request) -> Response:
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer
