"""Certificates for the fake key server: good ones from a test authority, and each kind of bad one."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.fakes.keys import ec_key

_AUTHORITY, _SERVER = 9001, 9002


def authority_pem(number: int = 0) -> bytes:
    """The certificate that signs all but the self-signed ones: what a `ca_file` should hold.

    With another number, an authority of another name and key, which signed nothing.
    """
    return _authority(number).public_bytes(Encoding.PEM)


def server_context(
    *, host: str = "127.0.0.1", expired: bool = False, self_signed: bool = False, days: int = 1
) -> ssl.SSLContext:
    """A server's TLS context with a certificate for `host` that ends after this number of days."""
    certificate = _certificate(host, days=-1 if expired else days, self_signed=self_signed)
    key = ec_key(_SERVER).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "chain.pem"
        path.write_bytes(key + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(path)
    return context


def server_pem(host: str, *, days: int = 1) -> tuple[bytes, bytes]:
    """A server's certificate for `host` and its private key, as a Kubernetes TLS Secret holds them."""
    key = ec_key(_SERVER).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return _certificate(host, days=days, self_signed=False).public_bytes(Encoding.PEM), key


def old_server_context() -> ssl.SSLContext:
    """A server that speaks nothing newer than TLS 1.1."""
    context = server_context()
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@cache
def _authority(number: int = 0) -> x509.Certificate:
    name, key = _name(f"test authority {number}"), ec_key(_AUTHORITY + 10 * number)
    constraints = x509.BasicConstraints(ca=True, path_length=0)
    builder = _builder(name, name).public_key(key.public_key()).add_extension(constraints, critical=True)
    return builder.sign(key, SHA256())


def _certificate(host: str, *, days: int, self_signed: bool) -> x509.Certificate:
    issuer = _name(host) if self_signed else _authority().subject
    builder = _builder(_name(host), issuer, days=days).public_key(ec_key(_SERVER).public_key())
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
    return builder.sign(ec_key(_SERVER if self_signed else _AUTHORITY), SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, *, days: int = 1) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    end = now + timedelta(days=days)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(min(now, end) - timedelta(days=8)).not_valid_after(end)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_name(host: str) -> x509.GeneralName:
    is_address = host[0].isdigit() or ":" in host
    return x509.IPAddress(ip_address(host)) if is_address else x509.DNSName(host)
