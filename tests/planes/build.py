"""Builds the control planes from their Go modules, once: `python -m tests.planes.build`.

The modules are pinned with hashes by the go.mod and go.sum beside this file. A program is built again if its sources
change. The folder is $PLANES_CACHE, or ~/.cache/envoy-jwt-authz.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Program:
    """A Go program: the folder of its go.mod, the package to build, and what a build costs."""

    name: str
    folder: Path
    package: str
    cost: str
    ldflags: str = ""

    @property
    def path(self) -> Path:
        """The path of the built program."""
        return cache() / f"{self.name}-{self._fingerprint()}"

    def _fingerprint(self) -> str:
        sources = sorted(path for path in self.folder.iterdir() if path.suffix in {".go", ".mod", ".sum"})
        return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]

    def build(self) -> None:
        """Build it with low priority. Raises CalledProcessError."""
        cache().mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".new")
        flags = f"-ldflags=-s -w {self.ldflags}"
        command = ["nice", "-n", "19", "go", "build", flags, "-o", str(unfinished), self.package]
        environment = os.environ | {"GOFLAGS": "-buildvcs=false -mod=readonly"}
        subprocess.run(command, check=True, cwd=self.folder, env=environment)
        unfinished.replace(self.path)


ENVOY_GATEWAY = Program(
    "envoy-gateway", _HERE / "envoy-gateway", "github.com/envoyproxy/gateway/cmd/envoy-gateway", "10 CPU-minutes"
)
ISTIO = Program("istio-generator", _HERE / "istio", ".", "6 CPU-minutes")


def cache() -> Path:
    """The folder of the built programs."""
    return Path(os.environ.get("PLANES_CACHE") or Path.home() / ".cache" / "envoy-jwt-authz")


def why_not(programs: Sequence[Program] = (ENVOY_GATEWAY, ISTIO)) -> str:
    """Why the programs cannot be built here; empty if they can or if they are there."""
    if all(program.path.is_file() for program in programs) or shutil.which("go"):
        return ""
    names = " and ".join(program.name for program in programs)
    return f"no `go` on PATH: {names} are built from their Go modules. Install Go 1.26 or newer"


def main(programs: Sequence[Program] = (ENVOY_GATEWAY, ISTIO)) -> int:
    """Build the missing programs, and print the progress."""
    if why_not(programs):
        sys.stdout.write(f"{why_not(programs)}; their tests are skipped\n")
        return 0
    for program in programs:
        if program.path.is_file():
            sys.stdout.write(f"{program.path} is built\n")
            continue
        sys.stdout.write(f"building {program.path}, once, about {program.cost}\n")
        sys.stdout.flush()
        begin = time.monotonic()
        program.build()
        sys.stdout.write(f"built in {time.monotonic() - begin:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
