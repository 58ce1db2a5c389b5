"""What a request must have before a byte of its body is read: the token, a page of our own, a length within bounds."""

import hmac
import json
import urllib.parse
from typing import Any

from vasa_jax.serve.settings import MIB, Settings

_OPEN = ("/", "/healthz")
"""What needs no token: the page holds no secret, and asks for one."""
_JSON_BYTES = MIB


class Gate:
    """ASGI middleware.

    Args:
      app: what is behind it.
      settings: token and limits.
    """

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if problem := self._problem(scope, headers):
            return await _answer(scope, send, *problem)
        if scope["type"] == "http" and scope["method"] in ("POST", "PUT", "PATCH"):
            return await self._app(scope, *self._counted(scope, receive, send))
        return await self._app(scope, receive, send)

    def _problem(self, scope: Any, headers: dict[str, str]) -> tuple[int, str] | None:
        path, method = scope["path"], scope.get("method", "GET")
        origin = headers.get("origin")
        if origin and urllib.parse.urlsplit(origin).netloc != headers.get("host"):
            return 403, "another page's script asks; only the server's own may"
        if self._settings.token and path not in _OPEN and not self._known(scope, headers):
            return 401, "give the token: Authorization: Bearer TOKEN"
        if method == "POST":
            try:
                length = int(headers.get("content-length", 0))
            except ValueError:
                return 400, "Content-Length is no number"
            if length > self._limit(path):
                return 413, f"more than {self._limit(path) >> 20} MiB"
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if path == "/v1/videos" and kind != "multipart/form-data":
                return 415, "send multipart/form-data with portrait and audio"
        return None

    def _known(self, scope: Any, headers: dict[str, str]) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        given = token.strip() if scheme.lower() == "bearer" else ""
        if not given and scope["type"] == "websocket":  # browsers cannot give a WebSocket headers
            given = urllib.parse.parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(given.encode(), self._settings.token.encode())

    def _limit(self, path: str) -> int:
        both = self._settings.portrait_bytes + self._settings.audio_bytes + MIB
        return both if path == "/v1/videos" else int(1.4 * self._settings.portrait_bytes) + _JSON_BYTES

    def _counted(self, scope: Any, receive: Any, send: Any) -> tuple[Any, Any]:
        """`receive` and `send`: a body that grows too large, whatever length it claims, ends there, with 413."""
        size, limit = 0, self._limit(scope["path"])

        async def counted() -> Any:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= limit else {"type": "http.disconnect"}

        async def sending(message: Any) -> None:
            if size > limit and message["type"] == "http.response.start":
                message = {**message, "status": 413}
            await send(message)

        return counted, sending


async def _answer(scope: Any, send: Any, status: int, said: str) -> None:
    body = json.dumps({"error": said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if scope["type"] == "websocket":
        if "websocket.http.response" not in scope.get("extensions", {}):
            return await send({"type": "websocket.close", "code": 1008, "reason": said})
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        return await send({"type": "websocket.http.response.body", "body": body})
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
