"""A throw-away certificate authority, and a directory of its certificates that changes as a mounted Secret does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates for DNS names, valid now or expired an hour ago."""

    def __init__(self, name: str) -> None:
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, timedelta(days=1)).public_key(self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.pem = builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM)

    def issue(self, name: str, *, expired: bool = False) -> dict[str, bytes]:
        """A new key and its certificate, as the two files of a Kubernetes TLS Secret."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(subject, timedelta(hours=-1 if expired else 24)).public_key(key.public_key())
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return {
            "tls.crt": builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM),
            "tls.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        }

    def _builder(self, subject: x509.Name, lifetime: timedelta) -> x509.CertificateBuilder:
        end = datetime.now(UTC) + lifetime
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(end - timedelta(days=9)).not_valid_after(end)


class MountedSecret:
    """Files behind a symlink that is swapped for every change, as kubelet does it."""

    def __init__(self, directory: Path, files: Mapping[str, bytes]) -> None:
        directory.mkdir()
        self.directory = directory
        self._files: dict[str, bytes] = {}
        self._changes = 0
        self.change(files)

    def change(self, files: Mapping[str, bytes]) -> None:
        """Replace these files and keep the others, all in one step."""
        self._files |= files
        self._changes += 1
        folder = self.directory / f"..{self._changes}"
        folder.mkdir()
        for name, content in self._files.items():
            (folder / name).write_bytes(content)
            if not (self.directory / name).is_symlink():
                (self.directory / name).symlink_to(f"..data/{name}")
        (self.directory / "..data_tmp").symlink_to(folder.name)
        (self.directory / "..data_tmp").replace(self.directory / "..data")
