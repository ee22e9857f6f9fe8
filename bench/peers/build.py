"""Builds the peers with their own toolchains, into build/peers. `python -m bench.peers.build` builds all of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

SOURCES = Path(__file__).parent
BUILT = Path(__file__).parents[2] / "build" / "peers"
BUILD_SECONDS = 1800
TOKEN_CACHE_SIZE = 3072
"""As many verified tokens as authz remembers."""

ONE_THREAD: Mapping[str, str] = MappingProxyType({"GOMAXPROCS": "1", "TOKIO_WORKER_THREADS": "1"})
"""The environment of a peer: one thread, as authz has with one worker."""


class NotBuilt(Exception):
    """A peer cannot be run. The message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One server, with a mode that verifies every token and one that remembers verified tokens."""

    language: str
    libraries: str
    folder: Path
    command: tuple[str, ...]
    binary: Path
    client: Path
    """A client on the same gRPC library, for the tests of the engines."""

    @property
    def cached(self) -> str:
        """The row of the mode with a token cache, known token."""
        return f"{self.libraries}, token cache"

    @property
    def verifying(self) -> str:
        """The row of the mode without a cache, known token."""
        return f"{self.libraries}, verifying each time"

    @property
    def new(self) -> str:
        """The row of the mode without a cache, every token new."""
        return f"{self.verifying}, every token new"

    def versions(self) -> str:
        """The compiler, and the pinned versions of the libraries that are named in a row."""
        tool = self.command[0]
        said = subprocess.run([tool, "--version" if tool == "cargo" else "version"], capture_output=True, check=True)
        compiler = re.search(rb"\d+\.\d+[.\d]*", said.stdout)
        pins = (self.folder / ("Cargo.toml" if tool == "cargo" else "go.mod")).read_text(encoding="utf-8")
        found = re.findall(r"(?m)^\s*\S*?(tonic|jsonwebtoken|grpc|jwt/v5)\b[^\d\n]*([\d.]+)", pins)
        libraries = ", ".join(f"{name} {version}" for name, version in found)
        return f"{self.language} {compiler[0].decode() if compiler else '?'} with {libraries}"


GO = Peer(
    "Go",
    "grpc-go + golang-jwt",
    SOURCES / "go",
    ("go", "build", "-trimpath", "-buildvcs=false", "-o", str(BUILT / "go"), "./..."),
    BUILT / "go" / "peer",
    BUILT / "go" / "client",
)
RUST = Peer(
    "Rust",
    "tonic + jsonwebtoken",
    SOURCES / "rust",
    ("cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(BUILT / "cargo")),
    BUILT / "cargo" / "release" / "peer",
    BUILT / "cargo" / "release" / "client",
)
PEERS = (RUST, GO)


def ready(peer: Peer, *, may_build: bool) -> Path:
    """The program, built if it has to be. Raises NotBuilt."""
    if _is_fresh(peer):
        return peer.binary
    tool = peer.command[0]
    if shutil.which(tool) is None:
        raise NotBuilt(f"`{tool}` is not installed")
    if not may_build:
        raise NotBuilt("it is not built yet: `python -m bench.peers.build` builds it")
    peer.binary.parent.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            peer.command, cwd=peer.folder, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotBuilt(f"`{tool} build` took more than {BUILD_SECONDS} s") from None
    if done.returncode:
        raise NotBuilt(f"`{tool} build` failed: {done.stderr.strip()[-500:]}")
    peer.binary.touch()  # cargo leaves the date alone if nothing but a date of the sources has changed
    return peer.binary


def _is_fresh(peer: Peer) -> bool:
    sources = [path.stat().st_mtime for path in peer.folder.rglob("*") if path.is_file()]
    return peer.binary.exists() and peer.binary.stat().st_mtime >= max(sources)


def told(peers: tuple[Peer, ...], *, may_build: bool) -> str:
    """What a report says about the peers: the versions of each, or why it is missing."""
    texts = []
    for peer in peers:
        try:
            ready(peer, may_build=may_build)
            texts.append(peer.versions())
        except NotBuilt as missing:
            texts.append(f"{peer.language} is not measured: {missing}")
    return "; ".join(texts)


if __name__ == "__main__":
    print(told(PEERS, may_build=True))
    sys.exit(0 if all(map(_is_fresh, PEERS)) else 1)
