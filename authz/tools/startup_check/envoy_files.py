"""The files that Envoy reads at its own start: pages, certificates with their keys, and secrets of the login."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from authz.core.problems import ConfigurationError, Problem
from authz.envoy.document import YamlDocument, read
from authz.envoy.fields import Fields
from authz.envoy.resources import Resources
from authz.sources import files
from authz.sources.fetch_result import FetchFailed
from authz.tools.startup_check.entry import Entry, Level
from authz.tools.startup_check.issuer_endpoints import certificate_entry

MAX_FILE_BYTES = 4 * 1024 * 1024
"""The largest file that is read. Bundles of certificate authorities have 250 kB."""

MIN_COOKIE_KEY_BYTES = 32
"""The cookie key signs with HMAC-SHA256: a shorter key is the weakest part (RFC 2104 section 3)."""

_SECRETS = ("token_secret", "hmac_secret")
_MISSING = "Create or mount it, readable for Envoy's user. Envoy does not start without it."


@dataclass(frozen=True, slots=True)
class _Place:
    """A mapping and the document that holds it: the Envoy YAML, or an SDS file that it names."""

    fields: Fields
    document: YamlDocument
    role: str = ""
    """The field of the OAuth2 filter that refers to it: `token_secret` or `hmac_secret`. Empty for certificates."""

    def problem(self, message: str, fix: str, *names: str) -> Problem:
        path = (*self.fields.path, *names)
        return Problem(path, message, fix, location=self.document.locate(path))


def entries(resources: Resources, now: float) -> Iterator[Entry]:
    """Read every file that the Envoy YAML names. `now` is in seconds since 1970. Problems have locations."""
    sds, secrets = [], []
    for fields in resources.mappings:
        place = _Place(fields, resources.document)
        if fields.get("sds_config"):
            entry, secret = _from_file(place)
            yield entry
            sds += [secret] if secret is not None else []
        elif fields.path and fields.path[-1] in _SECRETS:
            secrets.append(_static(resources, place))
    for secret in (*sds, *secrets):
        yield from _secret_entries(secret)
    documents = {id(secret.document): _Place(Fields.root(secret.document.data), secret.document) for secret in sds}
    for whole in (_Place(resources.root, resources.document), *documents.values()):
        yield from _named_files(whole)
        yield from _certificates(whole, now)


def _from_file(place: _Place) -> tuple[Entry, _Place | None]:
    """Read an SDS file, and return the secret in it that the configuration names."""
    name = place.fields.text("name")
    subject = f"secret {name:.80}"
    source = place.fields.get("sds_config", "path_config_source")
    path = source.text("path") or place.fields.get("sds_config").text("path")
    if not path:
        return Entry(subject, Level.OK, "comes from a control plane, not checked"), None
    try:
        document = read(files.read(path, "file", MAX_FILE_BYTES).decode("utf-8"), path)
    except FetchFailed as failed:
        return Entry(subject, Level.FAILURE, problem=place.problem(failed.detail, _MISSING, "sds_config")), None
    except UnicodeDecodeError:
        problem = place.problem(f"{path}: it is not UTF-8 text", "Write an SDS file in YAML.", "sds_config")
        return Entry(subject, Level.FAILURE, problem=problem), None
    except ConfigurationError as error:
        return Entry(subject, Level.FAILURE, problem=error.problems[0]), None
    for resource in Fields.root(document.data).each("resources"):
        if resource.text("name") == name:
            return Entry(subject, Level.OK, f"read from {path}"), _Place(resource, document, _role(place))
    fix = f"Write `resources:` with one entry whose `name` is {name:.80}."
    return Entry(
        subject, Level.FAILURE, problem=_Place(Fields({}), document).problem(f"no secret {name!r:.80}", fix)
    ), None


def _static(resources: Resources, place: _Place) -> _Place:
    """The secret of `static_resources.secrets` with this name. The place itself if there is none."""
    secrets = resources.root.get("static_resources").each("secrets")
    name = place.fields.text("name")
    found = (_Place(each, place.document, _role(place)) for each in secrets if each.text("name") == name)
    return next(found, place)


def _role(place: _Place) -> str:
    return str(place.fields.path[-1])


def _secret_entries(place: _Place) -> Iterator[Entry]:
    """Check the text of a generic secret. It is never shown."""
    holder = place.fields.get("generic_secret", "secret")
    subject = f"secret {place.fields.text('name'):.80}"
    if not holder:
        if place.role in _SECRETS:
            problem = place.problem(f"{subject}: it has no generic_secret", "Write `generic_secret: { secret: … }`.")
            yield Entry(subject, Level.FAILURE, problem=problem)
        return
    if variable := holder.text("environment_variable"):
        yield Entry(subject, Level.OK, f"Envoy's environment variable {variable:.80}, not checked")
        return
    try:
        value = _value(holder)
    except FetchFailed:
        return  # the entry of the file itself says so
    where = _Place(holder, place.document)
    if not value.strip():
        yield Entry(subject, Level.FAILURE, problem=where.problem(f"{subject}: it is empty", "Write the secret."))
    elif value != value.strip():
        message = f"{subject}: it begins or ends with white space, and the provider refuses it (invalid_client)"
        fix = "Write it without a newline: `printf %s SECRET > FILE`, or quote it on one line."
        yield Entry(subject, Level.FAILURE, problem=where.problem(message, fix))
    elif place.role == "hmac_secret" and len(value) < MIN_COOKIE_KEY_BYTES:
        message = f"{subject}: it has {len(value)} bytes, and session cookies need {MIN_COOKIE_KEY_BYTES}"
        yield Entry(subject, Level.WARNING, problem=where.problem(message, "Use the output of `openssl rand -hex 32`."))


def _value(holder: Fields) -> bytes:
    """The bytes of a DataSource. Raises FetchFailed if it is a file that cannot be read."""
    if path := holder.text("filename"):
        return files.read(path, "file", MAX_FILE_BYTES)
    try:
        return base64.b64decode(holder.text("inline_bytes")) or holder.text("inline_string").encode()
    except binascii.Error:
        return b""


def _named_files(whole: _Place) -> Iterator[Entry]:
    """Whether each `filename` can be read. One entry for all good ones."""
    good = 0
    for fields in whole.fields.inside():
        path = fields.text("filename")
        if not path:
            continue
        try:
            files.read(path, "file", MAX_FILE_BYTES)
            good += 1
        except FetchFailed as failed:
            problem = _Place(fields, whole.document).problem(failed.detail, _MISSING, fields.key("filename"))
            yield Entry(f"file {path:.200}", Level.FAILURE, problem=problem)
    if good:
        yield Entry("files", Level.OK, f"{good} file{'s' if good != 1 else ''} named here can be read")


def _certificates(whole: _Place, now: float) -> Iterator[Entry]:
    """Whether each certificate fits its private key, and when it ends."""
    for fields in whole.fields.inside():
        chain, key = (fields.get(name).text("filename") for name in ("certificate_chain", "private_key"))
        if (
            not chain
            or not key
            or fields.get("password")
            or not os.access(chain, os.R_OK)
            or not os.access(key, os.R_OK)
        ):
            continue
        subject, place = f"certificate {chain:.200}", _Place(fields, whole.document)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(chain, key, password=lambda: "")
            end = x509.load_pem_x509_certificate(Path(chain).read_bytes()).not_valid_after_utc.timestamp()
        except (ssl.SSLError, ValueError) as error:
            why = (
                "the private key does not belong to it" if "MISMATCH" in str(error) else "not a PEM certificate and key"
            )
            yield Entry(
                subject, Level.FAILURE, problem=place.problem(f"{subject}: {why}", f"Compare it with {key:.200}.")
            )
            continue
        entry = certificate_entry(subject, end, now, fields.path)
        located = place.problem(entry.problem.message, entry.problem.fix) if entry.problem is not None else None
        yield Entry(subject, entry.level, entry.detail, located)
