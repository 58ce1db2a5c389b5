"""The server's contract, on stand-ins: endpoints, refusals, one client beside another."""

import base64
import concurrent.futures
import contextlib
import io
import json
import time

import av
import numpy as np
import pytest
import soundfile
from PIL import Image
from starlette.websockets import WebSocketDisconnect


@contextlib.contextmanager
def _connected(client, path="/v1/stream"):
    """A client that goes in the end. The test client then cancels the server's side, and tells of it as a failure."""
    connection = client.websocket_connect(path)
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.suppress(concurrent.futures.CancelledError))
        socket = connection.__enter__()
        try:
            yield socket
        except concurrent.futures.CancelledError as error:
            raise AssertionError("the server's side was cancelled while the client was there") from error
        finally:
            connection.__exit__(None, None, None)


def _image(kind="PNG", size=(90, 90)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (100, 100, 100)).save(out, kind)
    return out.getvalue()


def _speech(seconds=0.6) -> bytes:
    out = io.BytesIO()
    audio = np.random.default_rng(0).uniform(-0.3, 0.3, round(16_000 * seconds))
    soundfile.write(out, audio, 16_000, format="WAV")
    return out.getvalue()


def _int16(frames=10, seed=0) -> bytes:
    return (3000 * np.random.default_rng(seed).standard_normal(640 * frames)).astype("<i2").tobytes()


def _events(socket, last) -> tuple[bytes, list[dict]]:
    """The MP4 and the events up to the one that is called `last`."""
    data, events = b"", []
    while not events or events[-1]["type"] != last:
        message = socket.receive()
        if message["type"] == "websocket.close":
            raise AssertionError(f"closed before {last}: {events[-2:]}")
        data += message.get("bytes") or b""
        if message.get("text"):
            events.append(json.loads(message["text"]))
    return data, events


def _start(socket, **fields) -> dict:
    socket.send_json({"type": "start", "portrait": "photo", **fields})
    return socket.receive_json()


def test_health_page_and_documentation(serve) -> None:
    client = serve()
    health = client.get("/healthz")
    assert health.status_code == 200 and health.json() == {"status": "ok", "sessions": 4, "free": 4}
    page = client.get("/")
    assert (
        page.status_code == 200
        and "AI-generated" in page.text
        and "script-src" in page.headers["content-security-policy"]
    )
    assert client.get("/docs").status_code == 200
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/healthz", "/v1/videos", "/v1/videos/{id}", "/v1/videos/{id}/file", "/v1/webrtc/offer"} <= paths.keys()
    assert client.get("/v1/portraits").json()["portrait" + "s"][0] == "portrait"
    assert client.get("/v1/portraits/photo").headers["content-type"] == "image/jpeg"
    assert client.get("/v1/portraits/..%2fspeech").status_code == 404
    client.engine.stop()
    assert client.get("/healthz").status_code == 503


def test_a_stream_from_start_to_end(serve) -> None:
    client = serve()
    with _connected(client) as socket:
        ready = _start(socket, seed=3, lookahead_ms=160, gaze=[0.1, 0])
        assert ready == {"type": "ready", "mime": ready["mime"], "size": 64, "fps": 25, "synthetic": True}
        socket.send_bytes(_int16(7))
        socket.send_bytes(_int16(8))
        socket.send_json({"type": "controls", "gaze": [0.3, 0.1], "emotion": {"happiness": 0.5}, "cfg_audio": 1})
        socket.send_json({"type": "ping", "t": 5})
        socket.send_json({"type": "flush"})
        data, events = _events(socket, "flushed")
        assert events[-1]["frames"] == 15 and {"type": "pong", "t": 5} in events
        times = next(event for event in events if event["type"] == "latency")
        assert {"queue", "motion", "decode", "encode", "frames"} < times.keys()
        socket.send_json({"type": "interrupt"})
        more, events = _events(socket, "interrupted")
        assert events[-1]["frames"] == 20
        socket.send_bytes(_int16(2))
        socket.send_json({"type": "end"})
        rest, events = _events(socket, "ended")
    with av.open(io.BytesIO(data + more + rest)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 22
    assert client.engine.taken == 0


@pytest.mark.parametrize(
    ("start", "status"),
    [
        ({"lookahead_ms": 100}, 422),
        ({"seed": -1}, 422),
        ({"seed": "1"}, 422),
        ({"portrait": "../../etc/passwd"}, 422),
        ({"portrait": base64.b64encode(b"no image at all").decode()}, 415),
        ({"portrait": "QUJD" * 1000}, 413),
        ({"gaze": [9, 9]}, 422),
        ({"gaze": "left"}, 422),
        ({"emotion": {"joy": 1}}, 422),
        ({"type": "begin"}, 422),
    ],
    ids=lambda value: str(value)[:30],
)
def test_starts_that_are_refused(serve, start, status) -> None:
    client = serve(portrait_bytes=2000)
    with _connected(client) as socket:
        answer = _start(socket, **start)
        assert answer["type"] == "error" and answer["status"] == status and answer["error"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    assert client.engine.taken == 0


def test_messages_that_are_refused_end_the_session(serve) -> None:
    client = serve()
    for send in (
        lambda s: s.send_bytes(b"odd"),
        lambda s: s.send_text("{"),
        lambda s: s.send_text("[]"),
        lambda s: s.send_json({"type": "dance"}),
        lambda s: s.send_json({"type": "controls", "distance": "near"}),
    ):
        with _connected(client) as socket:
            assert _start(socket)["type"] == "ready"
            send(socket)
            assert _events(socket, "error")[1][-1]["status"] == 422


def test_one_more_than_there_are_seats_is_told_when_to_come_again(serve) -> None:
    client = serve(sessions=1)
    with _connected(client) as first:
        assert _start(first)["type"] == "ready"
        with _connected(client) as second:
            answer = _start(second)
            assert answer["status"] == 503 and answer["retry_after"] >= 1
    with _connected(client) as third:
        assert _start(third)["type"] == "ready"


def test_token(serve) -> None:
    client = serve(token="secret")
    assert client.get("/healthz").status_code == 200 and client.get("/").status_code == 200
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
        answer = client.get("/v1/portraits", headers=headers)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
        assert client.post("/v1/videos", headers=headers).status_code == 401
        assert client.post("/v1/webrtc/offer", headers=headers, json={}).status_code == 401
    assert client.get("/v1/portraits", headers={"Authorization": "Bearer secret"}).status_code == 200
    for path in ("/v1/stream", "/v1/stream?token=wrong"):
        with pytest.raises(Exception), client.websocket_connect(path):  # noqa: B017 - the client's own kind
            pass
    with _connected(client, "/v1/stream?token=secret") as socket:
        assert _start(socket)["type"] == "ready"


def test_other_pages_scripts_are_kept_out(serve) -> None:
    client = serve()
    assert client.get("/v1/portraits", headers={"origin": "http://evil.example"}).status_code == 403
    assert client.get("/v1/portraits", headers={"origin": "http://testserver"}).status_code == 200


def _post(client, portrait=None, audio=None, **fields):
    files = {"portrait": ("../../x.sh", portrait or _image()), "audio": ("a.wav", audio or _speech())}
    return client.post("/v1/videos", files=files, data=fields)


def _until(client, id, *states):
    for _ in range(6000):
        job = client.get(f"/v1/videos/{id}").json()
        if job["state"] in states:
            return job
        time.sleep(0.01)
    raise AssertionError(job)


def test_a_video_as_a_job(serve, tmp_path) -> None:
    client = serve()
    answer = _post(client, seed=3, gaze="0.1,0", emotion="happiness:0.5")
    assert answer.status_code == 202, answer.text
    job = _until(client, answer.json()["id"], "done", "failed")
    assert job == {"id": answer.json()["id"], "state": "done", "progress": 1.0, "error": None}
    file = client.get(f"/v1/videos/{job['id']}/file")
    assert file.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(file.content)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 15
    assert sorted(p.suffix for p in (tmp_path / "serve").iterdir()) == ["", ".mp4"], "uploads are gone"
    assert client.delete(f"/v1/videos/{job['id']}").json()["state"] == "cancelled"
    assert client.get(f"/v1/videos/{job['id']}/file").status_code == 409
    assert client.get("/v1/videos/0").status_code == 404


def test_a_job_is_cancelled_while_it_runs(serve) -> None:
    client = serve()
    id = _post(client, audio=_speech(60)).json()["id"]
    _until(client, id, "running", "done")
    client.delete(f"/v1/videos/{id}")
    assert _until(client, id, "cancelled")["state"] == "cancelled"


def test_uploads_that_are_refused(serve) -> None:
    client = serve(portrait_bytes=50_000, audio_bytes=100_000, pixels=40_000, seconds=2.0)
    assert client.post("/v1/videos", json={}).status_code == 415
    assert client.post("/v1/videos", data={"seed": 1}).status_code in (415, 422)
    assert _post(client, portrait=b"no image").status_code == 415
    assert _post(client, audio=b"no audio").status_code == 415
    assert _post(client, portrait=_image()[:60]).status_code == 422
    assert _post(client, portrait=_image(size=(300, 300))).status_code == 413
    assert _post(client, portrait=_image("BMP", (200, 200))).status_code == 413
    assert _post(client, audio=_speech(2.8)).status_code == 413
    assert _post(client, audio=_speech(4)).status_code == 413
    assert _post(client, audio=_speech(0.05)).status_code == 422
    wrong = {"seed": ("x", -1), "gaze": ("1", "5,5"), "emotion": ("joy:1",), "distance": ("nan",)}
    for fields in ({name: value} for name, values in wrong.items() for value in values):
        assert _post(client, **fields).status_code == 422, fields
    big = client.post("/v1/videos", content=b"", headers={"content-length": "10000000", "content-type": "text/plain"})
    assert big.status_code == 413
    without_length = (b"--b\r\n" + b"x" * 100_000 for _ in range(20))
    kind = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post("/v1/videos", content=without_length, headers=kind).status_code == 413


def test_what_an_earlier_server_left_is_swept(serve, tmp_path) -> None:
    left = tmp_path / "serve"
    left.mkdir()
    (left / "vasa-serve").touch()
    (left / "upload").write_bytes(b"left by a server that was killed")
    serve()
    assert [path.name for path in left.iterdir()] == ["vasa-serve"]


def test_a_thousand_connects_and_drops(serve) -> None:
    """Whatever was said before, a client that is gone holds no seat."""
    client = serve(sessions=2)
    for k in range(1000):
        with _connected(client) as socket:
            if k % 50 == 0:
                assert _start(socket)["type"] == "ready"
                socket.send_bytes(_int16(4))
            elif k % 3 == 0:
                socket.send_text("{")
    assert client.engine.taken == 0
    with _connected(client) as socket:
        assert _start(socket)["type"] == "ready"


def test_sixteen_where_four_fit(serve) -> None:
    client, answers = serve(sessions=4), []
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_connected(client)) for _ in range(16)]
        answers = [_start(socket) for socket in sockets]
        taken = [socket for socket, answer in zip(sockets, answers) if answer["type"] == "ready"]
        assert len(taken) == 4
        assert all(answer["retry_after"] >= 1 for answer in answers if answer["type"] == "error")
        for seed, socket in enumerate(taken):
            socket.send_bytes(_int16(6, seed))
            socket.send_json({"type": "flush"})
        assert [_events(socket, "flushed")[1][-1]["frames"] for socket in taken] == [6] * 4
