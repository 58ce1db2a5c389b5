"""Live sessions over a network: an engine that serves several on one device, and the server around it.

    engine.py    sessions in turn on one device; nothing of the web
    uploads.py   images and audio of strangers, decoded in a child process with bounds
    media.py     frames, marked (`provenance.marking`), and their audio as fragmented MP4
    videos.py    jobs: a portrait and a recording to a signed file
    stream.py    the WebSocket; webrtc.py: the same by WebRTC
    app.py       the HTTP interface; page.html: the page

The modules below `app` need the extra `serve`; nothing else of the library imports them.
"""
