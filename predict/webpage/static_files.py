"""The files of the page that are the same for every model: its code, ONNX Runtime Web and their licences.

static_files()["index.html"]
"""

from pathlib import Path

from ser_images.data.common.errors import UserError

PAGE = Path(__file__).parent.parent / "page"
INDEX = "index.html"
PATTERNS = (
    "*.html", "*.css", "*.svg", "*.js", "NOTICE", "app/*.js", "app/*/*.js", "core/*.js", "vendor/onnxruntime-web/*",
)  # fmt: skip
"""Beside these, the folder has in a checkout what types and tests of the page need."""
RUNTIME = (
    "vendor/onnxruntime-web/ort.wasm.bundle.min.mjs", "vendor/onnxruntime-web/ort-wasm-simd-threaded.wasm",
    "vendor/onnxruntime-web/LICENSE", "vendor/onnxruntime-web/ThirdPartyNotices.txt",
)  # fmt: skip
"""ONNX Runtime Web for the CPU in one thread, as `make page` copies it."""
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "connect-src": "'self'",
    "img-src": "'self' data: blob:",
    "media-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
POLICY = "; ".join(f"{name} {sources}" for name, sources in _POLICY.items())
"""Content Security Policy: code and data from the page's own origin only, WebAssembly, and recordings as blobs."""
_HEAD = "<head>"


def static_files() -> dict[str, bytes]:
    """The content of each file by its path relative to the page; `index.html` states the policy.

    Raises:
        UserError: this installation has no page, or not all of it.
    """
    paths = sorted(path for pattern in PATTERNS for path in PAGE.glob(pattern) if path.is_file())
    found = {path.relative_to(PAGE).as_posix(): path.read_bytes() for path in paths}
    for name in (INDEX, *RUNTIME):
        if name not in found:
            raise UserError(f"{PAGE / name}: missing; in a checkout, make page writes it (needs Node.js)")
    return found | {INDEX: _with_policy(found[INDEX].decode()).encode()}


def _with_policy(html: str) -> str:
    """With the policy in the page itself: most hosts of static files set no headers."""
    assert html.count(_HEAD) == 1
    return html.replace(_HEAD, f'{_HEAD}\n<meta http-equiv="Content-Security-Policy" content="{POLICY}">')
