#!/usr/bin/env bash
# A plain POST that offers HTTP/2 (`Upgrade: h2c`) reaches an ASGI application with an empty body.
#
# Versions: uvicorn 0.54.0 with httptools 0.9.0 and with h11 0.16.0; the request is, header by header,
# the one that Java's `HttpClient.newHttpClient()` sends by its defaults, and `curl --http2` likewise.
#
# A server may ignore such an offer and answer by HTTP/1.1 (RFC 9110, 7.8), and both parsers end up
# doing so. One might guess that the application sees the same request either way. httptools tells its
# parser to skip the body of every request with an offer, and uvicorn goes on without it:
#
#   httptools: HTTP/1.1 200 OK, the application read 0 bytes of 5
#   h11:       HTTP/1.1 200 OK, the application read 5 bytes of 5
#
# uvicorn takes httptools wherever it is installed. A proxy in front that leaves `Upgrade` out hides it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
cat > "$folder/show.py" <<'PYTHON'
import asyncio
import socket
from importlib.metadata import version

import uvicorn

REQUEST = (
    b"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 5\r\n"
    b"Host: 127.0.0.1\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
    b"Upgrade: h2c\r\nUser-Agent: Java-http-client/17.0.15\r\n\r\nhello"
)
EXPECTED = {"httptools": 0, "h11": 5}


async def application(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    content = b"the application read %d bytes of 5" % size
    headers = [(b"content-length", b"%d" % len(content)), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def main():
    print("uvicorn", version("uvicorn"), "httptools", version("httptools"), "h11", version("h11"))
    for parser, size in EXPECTED.items():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(application, http=parser, lifespan="off", log_level="error")
            server = uvicorn.Server(config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(REQUEST)
            answer = (await reader.read()).decode()
            print(f"{parser + ':':11}{answer.splitlines()[0]}, {answer.splitlines()[-1]}")
            assert answer.endswith(f"read {size} bytes of 5"), answer
            writer.close()
            server.should_exit = True
            await serving


asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/show.py"
