"""The server: one process with one model, until it is stopped.

serve("runs/first", host="127.0.0.1", port=8000)
"""

import logging
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import uvicorn

from ser_images.data.common.command_line import LOGGER
from ser_images.data.common.errors import UserError
from ser_images.export.model_names import model_path
from ser_images.export.models import open_model
from ser_images.predict.arguments import require_single_run
from ser_images.predict.model import Model
from ser_images.predict.service.app import create_app
from ser_images.predict.service.connection import Connection
from ser_images.predict.service.metrics import Metrics
from ser_images.predict.service.micro_batcher import batched
from ser_images.predict.service.service import Service
from ser_images.predict.service.settings import ServiceSettings
from ser_images.predict.webpage.site import site_files

STOP_S = 30
"""How long a stop waits for the requests that were taken."""
_MAX_BLOCK_BYTES = 1 << 20


def serve(
    model: str, host: str, port: int, settings: ServiceSettings | None = None, format: str | None = None,
    min_confidence: float = 0.0, any_sound: bool = False, verify_key: Path | None = None,
) -> None:  # fmt: skip
    """Serve a model until SIGTERM or Ctrl-C; what was taken by then is answered.

    Args:
        model, format, min_confidence, any_sound, verify_key: as for `Model.load`; but a pickle is never loaded.
        port: 0: any free one, which is printed.

    Raises:
        UserError: no such model, a pickle, or an address that cannot be used.
    """
    _require_no_pickle(model, format)
    with _bind(host, port) as listener:
        path = model_path(model)
        name, settings = (Path.cwd() / model).name, settings or ServiceSettings()
        service = load_service(path, name, settings, format, min_confidence, any_sound, verify_key)
        page = page_of(path, service.settings.token, verify_key)
        if not service.settings.token and host not in ("127.0.0.1", "::1", "localhost"):
            LOGGER.warning("--host %s: everyone who reaches this address may use the service; see --token-file", host)
        listener.listen()
        address = f"[{host}]" if ":" in host else host
        LOGGER.info("http://%s:%d serves %s; Ctrl-C stops", address, listener.getsockname()[1], service.name)
        _run(service, listener, page)


def load_service(
    path: Path, name: str, settings: ServiceSettings, format: str | None = None, min_confidence: float = 0.0,
    any_sound: bool = False, verify_key: Path | None = None,
) -> Service:  # fmt: skip
    """The service of the model at a path, by a name, warmed up; other arguments as for `serve`."""
    metrics = Metrics()
    require_single_run(path)
    bundle, network = open_model(path, format, verify_key=verify_key)
    loaded = Model(bundle, batched(network, metrics.add_batch), min_confidence, any_sound)
    service = Service(loaded, name, settings, metrics)
    service.warm_up()
    return service


def page_of(path: Path, token: str, verify_key: Path | None = None) -> dict[str, bytes]:
    """The files of the page with a model; none, and a line in the log, where there can be no page."""
    if token:
        LOGGER.info("no page at /: it contains the model, and browsers send no token; see ser-export --to webpage")
        return {}
    try:
        return site_files(path, verify_key)
    except UserError as error:
        LOGGER.info("no page at /: %s", error)
        return {}


def _require_no_pickle(model: str, format: str | None) -> None:
    if format == "pickle" or model.lower().endswith(".pkl"):
        raise UserError(f"{model}: a service loads no pickle; give its run folder, ONNX or safetensors")


def _bind(host: str, port: int) -> socket.socket:
    """A socket at this address, not yet listening: who connects before the model is loaded is refused."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"--host {host}: no such address; 127.0.0.1 is this machine only, 0.0.0.0 all networks"
        ) from error
    listener = socket.socket(family, kind)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise UserError(f"--host {host} --port {port}: {error.strerror}; --port 0 takes any free port") from error
    return listener


def _is_no_refusal(record: logging.LogRecord) -> bool:
    """False for what uvicorn writes of each live stream that was refused before it began, with its answer."""
    return "without completing handshake" not in record.getMessage()


def _run(service: Service, listener: socket.socket, page: Mapping[str, bytes]) -> None:
    logging.getLogger("uvicorn").handlers = LOGGER.handlers
    logging.getLogger("uvicorn").propagate = False
    logging.getLogger("uvicorn.error").addFilter(_is_no_refusal)
    level = logging.INFO if LOGGER.level <= logging.DEBUG else logging.ERROR  # INFO: a line for each request
    config = uvicorn.Config(
        create_app(service, page), http=Connection, lifespan="off", log_config=None, log_level=level,
        server_header=False, timeout_graceful_shutdown=STOP_S, ws_max_size=_MAX_BLOCK_BYTES,
        ws_per_message_deflate=False,
        ws_ping_timeout=None,  # a pong waits behind sound that is not yet computed; `live` has limits of its own
    )  # fmt: skip
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run([listener])
