"""Fetches the browser packages that vendor.toml names into the dashboard's static/vendor folder."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
MANIFEST = HERE / "vendor.toml"
TARGET = HERE.parent / "src" / "analytics" / "dashboard" / "static" / "vendor"
HASHES = TARGET / "hashes.json"


def integrity(content: bytes) -> str:
    """The hash of *content* in the form npm writes it."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def fetch(name: str, version: str, folder: Path) -> Path:
    """Let npm download the package file; its registry and proxy settings are the user's."""
    command = ["npm", "pack", f"{name}@{version}", "--json", "--pack-destination", str(folder)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / json.loads(answer.stdout)[0]["filename"]


def main() -> int:
    """Fetch, check and unpack every package; write nothing of one whose hash differs."""
    hashes: dict[str, str] = {}
    TARGET.mkdir(parents=True, exist_ok=True)
    for package in tomllib.loads(MANIFEST.read_text())["package"]:
        with tempfile.TemporaryDirectory() as folder:
            archive = fetch(package["name"], package["version"], Path(folder))
            found = integrity(archive.read_bytes())
            if found != package["sha512"]:
                print(f"{package['name']}: vendor.toml says {package['sha512']}, got {found}")
                return 1
            with tarfile.open(archive) as tar:
                for source, target in package["files"].items():
                    member = tar.extractfile(f"package/{source}")
                    if member is None:
                        print(f"{package['name']}: no file {source} in the package")
                        return 1
                    content = member.read()
                    (TARGET / target).write_bytes(content)
                    hashes[target] = integrity(content)
    HASHES.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
