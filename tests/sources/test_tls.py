from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from authz.sources import tls
from authz.sources.fetch_result import FetchFailed, FetchResult
from tests.fakes.certificates import authority_pem


def test_the_system_authorities_are_trusted_without_a_ca_file() -> None:
    context = tls.context("")

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_ca_file_replaces_the_system_authorities(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority_pem())

    assert len(tls.context(str(tmp_path / "ca.pem")).get_ca_certs()) == 1


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_without_certificates_is_a_failure_and_never_the_system_authorities(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)

    with pytest.raises(FetchFailed) as failed:
        tls.context(str(tmp_path / "ca.pem"))

    assert failed.value.result is FetchResult.FILE_UNREADABLE
