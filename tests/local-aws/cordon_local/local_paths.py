"""Paths under ``/_local/`` that AWS does not have.

They do what no client can do on AWS either: speak as an AWS service, or look
at the whole of the local AWS at once. Tests that must also run against AWS
leave them alone.
"""

import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

PREFIX = "/_local/"

Answer = tuple[int, object]
Handler = Callable[[dict[str, str], object], Awaitable[Answer]]

_handlers: dict[tuple[str, str], Handler] = {}


def add(method: str, path: str, handler: Handler) -> None:
    """Serve ``path`` with a function of the query and the JSON body.

    The last part of a path may be ``{id}``; what is there joins the query.
    """
    _handlers[method, path] = handler


def _found(method: str, path: str) -> tuple[Handler | None, dict[str, str]]:
    handler = _handlers.get((method, path))
    if handler is not None:
        return handler, {}
    parent, _, last = path.rpartition("/")
    return _handlers.get((method, f"{parent}/{{id}}")), {"id": last}


async def answer(scope, receive, send) -> None:
    handler, within = _found(scope["method"], scope["path"])
    if handler is None:
        status, answer_body = 404, {"message": f"no such path: `{scope['method']} {scope['path']}`"}
    else:
        status, answer_body = await _handled(handler, within, scope, receive)
    content = json.dumps(answer_body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _handled(handler: Handler, within: dict[str, str], scope, receive) -> Answer:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    try:
        parsed = json.loads(body) if body else None
    except ValueError as error:
        return 400, {"message": f"the body is not JSON: {error}"}
    return await handler(dict(parse_qsl(scope["query_string"].decode())) | within, parsed)


async def _health(_query: dict[str, str], _body: object) -> Answer:
    return 200, {"status": "ready"}


add("GET", "/_local/health", _health)
