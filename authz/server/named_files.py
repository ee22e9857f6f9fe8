"""The files that a configuration names. `authz serve` reads each of them once at start and at every reload.

A source keeps trying to read a missing file, and meanwhile every token of its issuer is refused. So a mistyped path
must not replace a working configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from authz.core import keyset
from authz.core.configuration import Configuration
from authz.core.issuers import Issuer
from authz.core.keyset import MAX_DOCUMENT_BYTES, UnusableKeySet
from authz.core.problems import Problem
from authz.sources import files, revocations_file, tls
from authz.sources.fetch_result import FetchFailed, FetchResult


def check(configuration: Configuration) -> tuple[Problem, ...]:
    """Return a problem for every file that cannot be used. The paths are relative to the configuration. Blocks."""
    problems = []
    for field, read, fix in _reads(configuration):
        try:
            read()
        except FetchFailed as failed:
            problems.append(Problem(field, failed.detail, fix))
    return tuple(problems)


def _reads(configuration: Configuration) -> Iterator[tuple[tuple[str, ...], Callable[[], object], str]]:
    """Return each field that names a file, how to read the file, and the fix if that fails."""
    path = configuration.revocations_file
    if path:
        fix = f'Write a list to {path!r:.200}. `{{"revoked": []}}` is an empty one.'
        yield ("revocations_file",), partial(revocations_file.read, path), fix
    for alias, issuer in configuration.issuers.by_alias.items():
        for name, read in _reads_of(issuer).items():
            named = getattr(issuer.keys, name)
            if named:
                yield ("issuers", alias, name), read, "Check the path, and who may read the file."


def _reads_of(issuer: Issuer) -> dict[str, Callable[[], object]]:
    return {
        "jwks_file": partial(_read_keys, issuer),
        "ca_file": partial(tls.context, issuer.keys.ca_file),
        "bearer_token_file": partial(files.read_bearer, issuer.keys.bearer_token_file),
    }


def _read_keys(issuer: Issuer) -> None:
    document = files.read(issuer.keys.jwks_file, "jwks_file", MAX_DOCUMENT_BYTES)
    try:
        keyset.parse(document, issuer.algorithms, distinct_kids=issuer.keys.distinct_kids)
    except UnusableKeySet as error:
        raise FetchFailed(FetchResult.NO_USABLE_KEY, f"jwks_file {issuer.keys.jwks_file!r:.200}: {error}") from error
