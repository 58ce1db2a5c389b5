"""The HTTP interface: health, page, videos as jobs, live streams by WebSocket and WebRTC.

app = create_app(face, Settings(token="secret"))     # an ASGI application; vasa-serve runs it with uvicorn
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile, WebSocket
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer

from vasa_jax.errors import UserError
from vasa_jax.inference.controls import Controls, parse_emotion, parse_gaze
from vasa_jax.inference.video import version
from vasa_jax.serve import portraits as faces
from vasa_jax.serve import uploads as files
from vasa_jax.serve import videos as jobs
from vasa_jax.serve import webrtc
from vasa_jax.serve.engine import Busy, Engine
from vasa_jax.serve.gate import Gate
from vasa_jax.serve.settings import Settings
from vasa_jax.serve.stream import Stream
from vasa_jax.serve.uploads import Refused

PAGE = Path(__file__).with_name("page.html")
_RETRY = 10
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; img-src 'self' data: blob:; "
    "media-src blob:; connect-src 'self' ws: wss:; worker-src blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class _Server:
    """What the handlers share; made inside the running loop."""

    def __init__(self, face: Any, settings: Settings, engine: Engine) -> None:
        self.settings, self.engine = settings, engine
        self.uploads = files.Uploads(settings)
        self.portraits = faces.Portraits(face, settings, self.uploads)
        self.videos = jobs.Videos(face, settings, lambda: engine.pressed)
        self.calls = webrtc.Calls(engine, self.portraits, settings)


def create_app(face: Any, settings: Settings, engine: Engine | None = None) -> FastAPI:
    """The application.

    Args:
      face: with a motion model.
      settings: limits, token, folder.
      engine: by default one of `settings.sessions` seats that warms up on a portrait of ours.
    """

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        files.sweep(settings.folder)
        ours = engine or _engine(face, settings)
        app.state.server = server = _Server(face, settings, ours)
        ours.start()
        server.videos.start()
        try:
            yield
        finally:
            await server.calls.close()
            await asyncio.to_thread(server.videos.stop)
            await asyncio.to_thread(ours.stop)
            files.sweep(settings.folder)

    known = [Depends(HTTPBearer(auto_error=False))] if settings.token else []  # for the documentation; Gate checks
    app = FastAPI(title="vasa_jax", version=version(), lifespan=lifespan, dependencies=known)
    app.add_middleware(Gate, settings=settings)
    app.exception_handler(Refused)(_refused)
    app.exception_handler(Busy)(_busy)
    _add_pages(app)
    _add_videos(app)
    _add_streams(app)
    return app


def _engine(face: Any, settings: Settings) -> Engine:
    def warm() -> Any:
        return face.look(faces.ASSETS / f"{faces.NAMES[0]}.jpg")

    return Engine(face, sessions=settings.sessions, warm=warm, most_seconds=settings.live_seconds)


async def _refused(request: Request, error: Refused) -> JSONResponse:
    return JSONResponse({"error": str(error)}, error.status)


async def _busy(request: Request, error: Busy) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 503, {"Retry-After": str(error.retry_after)})


def _add_pages(app: FastAPI) -> None:
    @app.get("/", response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        """The live page."""
        text = PAGE.read_text(encoding="utf-8")
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"})

    @app.get("/healthz")
    async def health(request: Request) -> JSONResponse:
        """200 after a real step of the models, made now; 503 before the first, and where the device is stuck."""
        engine = request.app.state.server.engine
        alive = await asyncio.to_thread(engine.alive)
        seats = {"sessions": engine.sessions, "free": engine.sessions - engine.taken}
        if alive:
            return JSONResponse({"status": "ok", **seats})
        return JSONResponse({"status": "starting or stuck", **seats}, 503, {"Retry-After": "5"})

    @app.get("/v1/portraits")
    async def portraits() -> dict[str, Any]:
        """The portraits that the project owns."""
        return {"portraits": list(faces.NAMES)}

    @app.get("/v1/portraits/{name}")
    async def portrait(name: str) -> FileResponse:
        """One of them, as an image."""
        if name not in faces.NAMES:
            raise Refused(404, f"there are {', '.join(faces.NAMES)}")
        return FileResponse(faces.ASSETS / f"{name}.jpg", headers={"Cache-Control": "max-age=3600"})


def _add_videos(app: FastAPI) -> None:
    @app.post("/v1/videos", status_code=202)
    async def make(
        request: Request,
        portrait: Annotated[UploadFile, File(description="an image of one face")],
        audio: Annotated[UploadFile, File(description="speech of 0.2 s to 10 minutes")],
        seed: Annotated[int, Form()] = 0,
        gaze: Annotated[str, Form(description="theta,phi in radians")] = "0,0",
        distance: Annotated[float, Form()] = 0.0,
        emotion: Annotated[str, Form(description="name:strength[,name:strength]")] = "",
    ) -> dict[str, Any]:
        """A portrait and a recording become a signed video: a job, whose `id` tells where to look."""
        server = request.app.state.server
        try:
            wanted = {"seed": seed, "gaze": parse_gaze(gaze), "distance": distance, "emotion": parse_emotion(emotion)}
            Controls(**wanted)
        except UserError as error:
            raise Refused(422, str(error)) from None
        if not server.videos.room():
            raise Busy(_RETRY)
        pixels, recording = await _decoded(server, portrait, audio)
        try:
            return {"id": server.videos.add(pixels, recording, wanted).id}
        except jobs.Full:
            recording.unlink(missing_ok=True)
            raise Busy(_RETRY) from None

    @app.get("/v1/videos/{id}")
    async def look(request: Request, id: str) -> dict[str, Any]:
        """How far it is: state (queued, running, done, failed, cancelled), progress 0..1, error."""
        return _job(request, id).seen()

    @app.get("/v1/videos/{id}/file")
    async def file(request: Request, id: str) -> FileResponse:
        """The mp4."""
        job = _job(request, id)
        if job.state != jobs.DONE:
            raise Refused(409, f"the video is {job.state}; there is a file when it is done")
        return FileResponse(job.file, media_type="video/mp4", filename="talking.mp4")

    @app.delete("/v1/videos/{id}")
    async def cancel(request: Request, id: str) -> dict[str, Any]:
        """Cancels it, or deletes its file."""
        job = _job(request, id)
        request.app.state.server.videos.cancel(job)
        return job.seen()


def _job(request: Request, id: str) -> jobs.Job:
    job = request.app.state.server.videos.find(id)
    if job is None:
        raise Refused(404, "there is no such video")
    return job


async def _decoded(server: _Server, portrait: UploadFile, audio: UploadFile) -> tuple[Any, Path]:
    """Pixels of the one, a plain WAV of the other, both through the child process."""
    settings, uploads, kept = server.settings, server.uploads, []
    try:
        kept.append(await uploads.save(portrait, settings.portrait_bytes, "the portrait"))
        kept.append(await uploads.save(audio, settings.audio_bytes, "the audio"))
        pixels = await uploads.image(kept[0])
        return pixels, await uploads.audio(kept[1])
    finally:
        for path in kept:
            path.unlink(missing_ok=True)


def _add_streams(app: FastAPI) -> None:
    @app.websocket("/v1/stream")
    async def stream(socket: WebSocket) -> None:
        server = socket.app.state.server
        await socket.accept()
        await Stream(socket, server.engine, server.portraits, server.settings).run()

    @app.post("/v1/webrtc/offer")
    async def offer(request: Request) -> dict[str, Any]:
        """{"sdp", "type", "portrait", "seed", "lookahead_ms"} -> {"sdp", "type"}: microphone in, image with audio."""
        try:
            asked = await request.json()
        except ValueError:
            raise Refused(422, "the offer is no JSON") from None
        return await request.app.state.server.calls.answer(asked)
