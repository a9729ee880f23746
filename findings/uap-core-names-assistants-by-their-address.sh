#!/usr/bin/env bash
# uap-core: an assistant's fetcher is named by the address in its comment, or not at all.
#
# Versions: ua-parser 1.0.2, ua-parser-builtins 202610 (PyPI).
#
# One might guess that a list of October 2026 which knows GPTBot by name knows the same operator's
# ChatGPT-User as well. It takes the end of the address behind that name for a browser:
#
#   GPTBot/1.3                     GPTBot
#   ChatGPT-User/1.0               com/bot
#   Claude-User/1.0                None
#   Perplexity-User/1.0            None
#   meta-externalagent/1.1         crawler
#   facebookexternalhit/1.1        FacebookBot
#
# and what Meta publishes as facebookexternalhit goes by the name of another of Meta's crawlers.
# Whoever counts machines by the family that uap-core gives looks for such names first.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  ua-parser==1.0.2 ua-parser-builtins==202610
cat > "$folder/show.py" <<'PYTHON'
from importlib import metadata

import ua_parser

print("ua-parser", metadata.version("ua-parser"), metadata.version("ua-parser-builtins"))
KIT = "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko"
AGENTS = {
    f"{KIT}; compatible; GPTBot/1.3; +https://openai.com/gptbot)": "GPTBot",
    f"{KIT}); compatible; ChatGPT-User/1.0; +https://openai.com/bot": "com/bot",
    f"{KIT}; compatible; Claude-User/1.0; +Claude-User@anthropic.com)": None,
    f"{KIT}; compatible; Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)": None,
    "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)":
        "crawler",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": "FacebookBot",
}
for agent, expected in AGENTS.items():
    found = ua_parser.parse(agent).user_agent
    family = found.family if found else None
    print(f"  {family!s:12} {agent}")
    assert family == expected, (family, agent)
PYTHON
"$folder/venv/bin/python" "$folder/show.py"
