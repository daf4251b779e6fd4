"""ser-predict serve: a model over HTTP.

ser-predict serve --model runs/first --port 8000
"""

from pathlib import Path
from typing import Annotated

import typer

from ser_images.export.shipped.catalogue import DEFAULT
from ser_images.predict.cli_options import AnySound, MinConfidence, ModelName, VerifyKey


def serve(
    model: ModelName = DEFAULT,
    model_format: Annotated[str | None, typer.Option(help="onnx, int8 or safetensors; ONNX by default.")] = None,
    verify_key: VerifyKey = None,
    min_confidence: MinConfidence = 0.0,
    any_sound: AnySound = False,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0: all networks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0: any free one.")] = 8000,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a token; requests must carry it: Authorization: Bearer TOKEN.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="Origin of a web page that may use the service; can be repeated.")
    ] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Largest upload, in MB.")] = 64,
    max_seconds: Annotated[float, typer.Option(min=0.1, help="Longest recording, in seconds.")] = 600,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Recordings at the same time.", show_default="two per processor")
    ] = None,
    queue: Annotated[int, typer.Option(min=0, help="Recordings that may wait; beyond, the answer is 503.")] = 16,
    max_live: Annotated[int, typer.Option(min=0, help="Live streams at the same time.")] = 4,
    upload_timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that an upload may take.")] = 60,
) -> None:
    """Serve a model over HTTP: a page, and an API.

    The page is at /, and /docs describes the endpoints. A stop by Ctrl-C or SIGTERM answers what was taken first. Needs
    the extra serve.
    """
    from ser_images.predict.service.access import read_token
    from ser_images.predict.service.server import serve
    from ser_images.predict.service.settings import DEFAULT_THREADS, ServiceSettings

    settings = ServiceSettings(
        max_mb, max_seconds, threads or DEFAULT_THREADS, queue, max_live, upload_timeout,
        read_token(token_file) if token_file else "", tuple(allow_origin or ()),
    )  # fmt: skip
    serve(model, host, port, settings, model_format, min_confidence, any_sound, verify_key)
