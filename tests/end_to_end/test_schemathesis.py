"""schemathesis asks a running server whatever the OpenAPI document allows, and what it does not.

By hand, for longer: `pytest tests/end_to_end/test_schemathesis.py --api-examples 200`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from tests.end_to_end.conftest import FEW_EXAMPLES
from tests.end_to_end.fuzzed_server import fuzzed_server
from tests.server import ROOT, Server

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
HOOKS = "tests.end_to_end.fuzzing_hooks"
SUMMARY = re.compile(r"Selected: (\d+)/\1\n *Tested: \1\n.*?(\d+) generated, \d+ passed", re.DOTALL)


@pytest.mark.timeout(3600)
async def test_every_answer_is_as_documented(
    tmp_path: Path, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    async with fuzzed_server(tmp_path) as (server, secret):
        code, said = await _ask(
            server, secret, pytestconfig.getoption("--api-examples", FEW_EXAMPLES)
        )
        assert code == 0, f"{said}\n{server.log()[-4000:]}"
    summary = SUMMARY.search(said)
    assert summary is not None, said
    operations, requests = map(int, summary.groups())
    with capsys.disabled():
        print(f"\n{operations} operations, {requests} requests, {len(CHECKS)} checks of each")
    assert requests > 10 * operations > 300


async def _ask(server: Server, secret: str, examples: int) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/api/openapi.json"),
        *("--header", f"Authorization: Bearer {secret}"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(examples)),
        *("--generation-deterministic", "--continue-on-failure", "--no-color"),
        *("--checks", ",".join(CHECKS)),
        cwd=server.data.parent,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.end_to_end.fuzzing_hooks",
            "PYTHONPATH": str(ROOT),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
