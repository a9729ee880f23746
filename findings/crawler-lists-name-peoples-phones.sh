#!/usr/bin/env bash
# Lists of crawlers that have phones and apps of people in them.
#
# Versions: crawler-user-agents 1.67.0 (PyPI), isbot 5.2.3 (npm).
#
# One might guess that an entry of such a list is the name of a crawler. crawler-user-agents has the
# build AP3A.240617.008 of Android 15, which phones of OPPO, OnePlus and realme show in every user
# agent, the browser inside Facebook's app (MetaIAB Facebook), Viber, and "Butterfly", which HTC
# called a phone; isbot takes none of these four. Who leaves out what is listed leaves people out, and
# a new version of a list can do it again:
#
#                                              crawler-user-agents  isbot
#   OPPO with Android 15                       crawler              person
#   the browser inside Facebook                crawler              person
#   the browser inside Viber                   crawler              person
#   HTC Butterfly                              crawler              person
#   a Safari on a Mac                          person               person
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check crawler-user-agents==1.67.0
cd "$folder"
npm install --silent --no-audit --no-fund isbot@5.2.3
cat > agents.json <<'JSON'
{
  "OPPO with Android 15": "Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.7444.142 Mobile Safari/537.36",
  "the browser inside Facebook": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MetaIAB Facebook",
  "the browser inside Viber": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Viber/24.1",
  "HTC Butterfly": "Mozilla/5.0 (Linux; Android 4.4.3; HTC Butterfly Build/KOT49H) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/38.0.2125.114 Mobile Safari/537.36",
  "a Safari on a Mac": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15"
}
JSON
node --input-type=module -e '
import { isbot } from "isbot";
import { readFileSync } from "node:fs";
const agents = JSON.parse(readFileSync("agents.json", "utf8"));
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(agents).map(([name, text]) => [name, isbot(text)]))));
' > isbot.json
cat > show.py <<'PYTHON'
import json
from importlib import metadata

import crawleruseragents

agents = json.load(open("agents.json"))
isbot = json.load(open("isbot.json"))
print("crawler-user-agents", metadata.version("crawler-user-agents"), "isbot 5.2.3")
listed = {name: crawleruseragents.is_crawler(text) for name, text in agents.items()}
for name in agents:
    said = ["crawler" if each[name] else "person" for each in (listed, isbot)]
    print(f"  {name:30}", *(f"{text:10}" for text in said))
assert [name for name, crawler in listed.items() if not crawler] == ["a Safari on a Mac"], listed
assert not any(isbot.values()), isbot
PYTHON
"$folder/venv/bin/python" show.py
