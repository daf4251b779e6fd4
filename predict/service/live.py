"""The live endpoint: blocks of PCM over a web socket to the results of `ser-predict live --jsonl`.

Each binary message is a block of mono samples, each result a text message. The text `end` from the client ends the
stream: the server sends the last segments and closes. An error is `{"error": "…"}` and a close.
"""

import json
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Annotated, Literal

import numpy as np
from anyio import fail_after
from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect

from ser_images.data.common.errors import UserError
from ser_images.predict.adaptation.choice import choose_adaptation
from ser_images.predict.live.live_stream import LiveResult, LiveStream
from ser_images.predict.service.access import SUBPROTOCOL
from ser_images.predict.service.service import CurrentService, Service, require_live_access
from ser_images.predict.streaming.settings import LIVE_HOP_RANGE_S, LIVE_HOP_S, WINDOW_RANGE_S
from ser_images.spectrogram_gen.samples import to_mono
from ser_images.spectrogram_gen.sound_file import MAX_RATE_HZ, MIN_RATE_HZ

router = APIRouter(dependencies=[Depends(require_live_access)])
ENCODINGS = {"s16le": "<i2", "f32le": "<f4"}
END = "end"
_INVALID = 1007  # of RFC 6455: data that is not what it claims to be


@router.websocket("/v1/live")
async def live(
    websocket: WebSocket,
    service: CurrentService,
    rate_hz: Annotated[int, Query(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)] = 16000,
    encoding: Literal["s16le", "f32le"] = "s16le",
    window_s: Annotated[float | None, Query(ge=WINDOW_RANGE_S[0], le=WINDOW_RANGE_S[1])] = None,
    hop_s: Annotated[float, Query(ge=LIVE_HOP_RANGE_S[0], le=LIVE_HOP_RANGE_S[1])] = LIVE_HOP_S,
    adapt: bool | None = None,
) -> None:
    """Classify speech while it is spoken."""
    with service.streams.place():
        stream = LiveStream(service.model, rate_hz, window_s, hop_s, choose_adaptation(service.model, adapt))
        await websocket.accept(SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None)
        with suppress(WebSocketDisconnect, TimeoutError):  # gone, or it reads no results
            try:
                async for block in _blocks(websocket, service.settings.upload_timeout_s):
                    found = await service.streams.run(_feed, stream, block, ENCODINGS[encoding])
                    await _send(websocket, service, found)
                await _send(websocket, service, await service.streams.run(lambda: list(stream.finish())))
                await websocket.close()
            except UserError as error:
                with fail_after(service.settings.upload_timeout_s):
                    await websocket.send_json({"error": str(error)})
                    await websocket.close(_INVALID)


async def _blocks(websocket: WebSocket, timeout_s: float) -> AsyncIterator[bytes]:
    """Binary messages until the end; raises UserError for another text, or where none comes."""
    while True:
        try:
            with fail_after(timeout_s):
                message = await websocket.receive()
        except TimeoutError as error:
            raise UserError(f"no sound within {timeout_s:g} s") from error
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        if message.get("text") == END:
            return
        if not message.get("bytes"):
            raise UserError(f"expected blocks of samples as binary messages, and the text {END} after the last one")
        yield message["bytes"]


def _feed(stream: LiveStream, block: bytes, dtype: str) -> list[LiveResult]:
    arrived_s = time.perf_counter()
    if len(block) % np.dtype(dtype).itemsize:
        raise UserError(f"a block of {len(block)} bytes, expected whole samples of {np.dtype(dtype).itemsize} bytes")
    return list(stream.feed(to_mono(np.frombuffer(block, dtype)), arrived_s))


async def _send(websocket: WebSocket, service: Service, results: list[LiveResult]) -> None:
    """Send results; raises TimeoutError where the client reads none any more."""
    for result in results:
        with fail_after(service.settings.upload_timeout_s):
            await websocket.send_text(json.dumps(result.to_dict(service.model, dropped=0), ensure_ascii=False))
