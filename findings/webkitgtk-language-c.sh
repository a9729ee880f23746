#!/usr/bin/env bash
# WebKitGTK under the locale C.UTF-8 (that of most containers and services): navigator.language is "C",
# which is no language tag, so that `new Intl.NumberFormat(navigator.language)`, a common line, throws a
# RangeError, and a library that has it at its top level (uPlot 1.6.32 does) does not load at all.
#
# Seen with webkit2gtk-driver 2.50.6-1~deb12u2 (Debian 12):
#   MiniBrowser 2.50.6
#   under C.UTF-8: navigator.language C, Intl.NumberFormat: RangeError
#
# Needs WebKitWebDriver and Xvfb (apt-get install webkit2gtk-driver xvfb) and python3.
# Exits 0 while it is so, 1 when it has changed.
set -euo pipefail
for name in WebKitWebDriver Xvfb python3; do
  command -v $name >/dev/null || { echo "$name is missing: apt-get install webkit2gtk-driver xvfb python3" >&2; exit 2; }
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
HOME=$folder LC_ALL=C.UTF-8 python3 - "$folder" <<'PYTHON'
import json, os, signal, socket, subprocess, sys, time, urllib.error, urllib.request

folder = sys.argv[1]
read, write = os.pipe()
display = subprocess.Popen(
    ["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"], pass_fds=[write], stderr=subprocess.DEVNULL
)
number = os.read(read, 16).decode().strip()
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
driver = subprocess.Popen(
    ["WebKitWebDriver", f"--port={port}", "--host=127.0.0.1"],
    env={**os.environ, "DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1"},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    start_new_session=True,
)


def ask(path, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    return json.load(urllib.request.urlopen(request, timeout=60))["value"]


try:
    for _ in range(100):
        try:
            session = ask("/session", {"capabilities": {}})
            break
        except urllib.error.URLError:
            time.sleep(0.1)
    else:
        sys.exit("WebKitWebDriver did not start")
    script = """
        let result = 'works'
        try { new Intl.NumberFormat(navigator.language) } catch (error) { result = error.name }
        return [navigator.language, result]"""
    language, result = ask(f"/session/{session['sessionId']}/execute/sync", {"script": script, "args": []})
finally:
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    display.terminate()
    display.wait()
print(session["capabilities"]["browserName"], session["capabilities"]["browserVersion"])
print(f"under C.UTF-8: navigator.language {language}, Intl.NumberFormat: {result}")
sys.exit(0 if (language, result) == ("C", "RangeError") else 1)
PYTHON
