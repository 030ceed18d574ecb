"""The reference: the same server with an application that answers 204 to everything."""

from __future__ import annotations

import sys
from typing import Any

import uvicorn

from shoplake.collector.listening import server_config


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - as ASGI says
    """Read the body and answer 204."""
    if scope["type"] != "http":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    config = server_config(answer)
    config.port = int(sys.argv[1])
    uvicorn.Server(config).run()
