"""Serves requests with FastAPI and with a bare application, in process, as a client would send them."""

from codeintel_obs import FieldClass
from codeintel_obs.testing import workout


def application():
    from fastapi import BackgroundTasks, FastAPI, HTTPException
    from fastapi.responses import JSONResponse, StreamingResponse

    app = FastAPI()
    done = []

    @app.exception_handler(LookupError)
    async def not_there(_request, exc):
        return JSONResponse({"error": str(exc)}, 507)

    @app.get("/items/{name}")
    async def item(name: str, later: BackgroundTasks):
        later.add_task(done.append, name)
        return {"name": name}

    @app.get("/stream")
    def stream():
        return StreamingResponse(iter(["a", "b", "c"]))

    @app.get("/raises/{how}")
    def raises(how: str):
        if how == "handled":
            raise LookupError("gone")
        if how == "refused":
            raise HTTPException(404, "no")
        raise ValueError("disk on fire")

    return app, done


async def answers(app, *paths):
    import httpx2

    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://app.invalid") as client:
        responses = [await client.get(path) for path in paths]
    return [(each.status_code, each.text) for each in responses]


@workout("fastapi", canaries={"canary-in-a-query": FieldClass.TEXT, "canary-in-a-path": FieldClass.PATH})
async def requests(_folder):
    app, done = application()
    paths = [
        "/items/canary-in-a-path?q=canary-in-a-query",
        "/stream",
        "/raises/handled",
        "/raises/refused",
        "/raises/x",
    ]
    return await answers(app, *paths, "/nowhere", "/health", "/items/7"), done


@workout("fastapi")
async def raising(_folder):
    app, _ = application()
    import httpx2

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://app.invalid") as client:
        try:
            await client.get("/raises/x")
        except ValueError as exc:
            return exc


@workout("fastapi")
async def lifespan_and_websocket(_folder):
    from fastapi import FastAPI, WebSocket

    app = FastAPI()

    @app.websocket("/echo")
    async def echo(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close(4000)

    async def exchanged(scope, *messages):
        waiting, sent = list(messages), []

        async def receive():
            return waiting.pop(0)

        async def send(message):
            sent.append({key: value for key, value in message.items() if key != "headers"})

        await app(scope, receive, send)
        return sent

    scope = {"type": "websocket", "path": "/echo", "headers": [], "query_string": b"", "subprotocols": []}
    connected = await exchanged(scope, {"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"})
    up = await exchanged({"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    return connected, up
