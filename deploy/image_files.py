"""Collect the files of the image from the base that builds it: `image_files.py VENV TARGET`.

The Dockerfile runs it with the base's own Python. The image then needs no shell, no package tool and no layer of the
base: it has the virtual environment, the interpreter, its standard library, and the shared libraries that these load.
Each Debian package that a file comes from is listed in /var/lib/dpkg/status.d, where scanners look for it.
"""

from __future__ import annotations

import compileall
import os
import py_compile
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

_WITHOUT = {
    *("__pycache__", "test", "tests", "idlelib", "lib2to3", "turtledemo", "tkinter", "ensurepip", "pydoc_data"),
    *("curses", "dbm", "sqlite3", "venv", "site-packages", "dist-packages"),
}
"""Directories of the standard library that the sidecar never imports. ensurepip contains pip."""

_WITHOUT_MODULES = re.compile(r"(_tkinter|_curses.*|_dbm|_gdbm|_sqlite3|readline|nis|_test.*|_xx.*|xx.*)\.cpython.*")
"""Extension modules that would bring libraries of databases and terminals with them."""

_NAMES = {
    "etc/passwd": "root:x:0:0:root:/:\nauthz:x:65532:65532:authz:/:\n",
    "etc/group": "root:x:0:\nauthz:x:65532:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",  # without it, glibc asks name servers before /etc/hosts
}
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_AS_THEY_ARE = ("/etc/ssl/openssl.cnf", "/etc/os-release", "/usr/lib/os-release", "/etc/ld.so.conf")
_GROUP = 65532


def main(venv: Path, target: Path) -> None:
    """Fill the target directory, which becomes the root of the image."""
    for link in (Path("/lib"), Path("/lib64"), Path("/bin")):
        if link.is_symlink():  # the merged /usr of Debian: the loader's path goes through such a link
            (target / link.name).symlink_to(link.readlink())
    own = _tree(venv, target, {"pip", "setuptools", "wheel"})
    library = Path(sysconfig.get_path("stdlib"))
    copied = [*_interpreter(venv, target), *_tree(library, target, _WITHOUT)]
    needed = _shared_libraries([*own, *copied])
    copied += [_copy(path, target) for path in sorted(needed) if not path.is_relative_to(venv)]
    copied += [_copy(Path(path), target) for path in _AS_THEY_ARE if Path(path).is_file()]
    copied += [_copy(path, target) for path in sorted(Path("/etc/ld.so.conf.d").glob("*.conf"))]
    _authorities(target)
    for name, text in _NAMES.items():
        (target / name).write_text(text, encoding="ascii")
    subprocess.run(["/sbin/ldconfig", "-r", target], check=True)  # noqa: S603 - the base's own
    _packages(copied, target)
    _bytecode(target, library, venv)
    # A volume that Docker or Podman creates from it takes over owner and mode, so that only the group gets in;
    # Kubernetes does the same with fsGroup. The set-group-ID bit hands the group on to the socket.
    directory = target / "run" / "authz"
    directory.mkdir(parents=True)
    os.chown(directory, _GROUP, _GROUP)
    directory.chmod(0o2770)


def _interpreter(venv: Path, target: Path) -> Iterator[Path]:
    """Copy the program that the virtual environment's `python3` leads to, and the links on the way."""
    path = venv / "bin" / "python3"
    while path.is_symlink():
        to = path.parent / path.readlink()
        link = target / path.relative_to("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(path.readlink())
        path = to
    yield _copy(path, target)


def _tree(directory: Path, target: Path, without: set[str]) -> list[Path]:
    """Copy a directory, links resolved outside of its `bin`. Return the copied files as they are named in the base."""
    found = []
    for folder, names, files in os.walk(directory):
        names[:] = [name for name in names if name not in without]
        for name in files:
            path = Path(folder, name)
            is_script = path.parent.name == "bin" and (
                path.is_symlink() or name.lower().startswith(("activate", "pip"))
            )
            if path.is_file() and not is_script and not _WITHOUT_MODULES.fullmatch(name):
                found.append(_copy(path, target))
    return found


def _copy(path: Path, target: Path) -> Path:
    """Copy one file to the same path below the target. A directory that is a link counts as its destination."""
    place = target / path.parent.resolve().relative_to("/") / path.name
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, place)
    return path


def _shared_libraries(files: Iterable[Path]) -> set[Path]:
    """Return the libraries that the loader finds for the files, and the loader itself."""
    found: set[Path] = set()
    for path in files:
        with path.open("rb") as file:
            if file.read(4) != b"\x7fELF":
                continue
        done = subprocess.run(["ldd", path], check=False, capture_output=True, text=True)  # noqa: S603, S607 - the base's own
        missing = re.findall(r"(\S+) => not found", done.stdout)
        if missing:
            raise SystemExit(f"{path} needs {', '.join(missing)}, which the base does not have")
        found.update(Path(name) for name in re.findall(r"(/\S+) \(0x", done.stdout))
    return found


def _authorities(target: Path) -> None:
    """Copy the certificate authorities, as one file. OpenSSL looks for it at its own path."""
    _copy(_AUTHORITIES, target)
    default = target / Path(ssl.get_default_verify_paths().openssl_cafile).relative_to("/")
    default.parent.mkdir(parents=True, exist_ok=True)
    default.symlink_to(_AUTHORITIES)


def _packages(files: Iterable[Path], target: Path) -> None:
    """List the Debian packages of the files, with their licences."""
    owners = {}
    for listing in Path("/var/lib/dpkg/info").glob("*.list"):
        for line in listing.read_text(encoding="utf-8").splitlines():
            owners[Path(line).parent.resolve() / Path(line).name] = listing.stem.partition(":")[0]
    needed = {owners.get(path.resolve()) for path in (*files, _AUTHORITIES)} | {"ca-certificates"}
    stanzas = Path("/var/lib/dpkg/status").read_text(encoding="utf-8").split("\n\n")
    status = target / "var" / "lib" / "dpkg" / "status.d"
    status.mkdir(parents=True)
    for stanza in stanzas:
        name = stanza.strip().partition("\n")[0].removeprefix("Package: ")
        if name in needed:
            (status / name).write_text(stanza.strip() + "\n", encoding="utf-8")
            copyright_file = Path("/usr/share/doc") / name / "copyright"
            if copyright_file.is_file():
                _copy(copyright_file, target)


def _bytecode(target: Path, *directories: Path) -> None:
    """Compile all modules here, because a read-only root leaves no place for it later.

    `unchecked-hash` saves a look at every source file at start, and does not rely on time stamps, which layers change.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    for directory in directories:
        place = target / directory.relative_to("/")
        compileall.compile_dir(place, quiet=2, workers=0, invalidation_mode=mode, stripdir=target, prependdir="/")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
