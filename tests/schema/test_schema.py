"""The schema knows every field that the compiler reads and no other, and refuses nothing that it takes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from authz.cli.main import main
from authz.core import mapping_reader as section_module
from authz.core.configuration import compile_configuration
from authz.core.problems import ConfigurationError
from authz.core.profiles import PROFILES
from authz.core.read_policy import read_inline
from authz.tools.schema.schemas import DOCUMENTS, envoy, policy, section
from tests.fakes.checks import POOL

SHIPPED = Path(__file__).parents[2] / "deploy" / "envoy.yaml"
SECTION = Draft202012Validator(section())

FULL: dict[str, Any] = {
    "issuers": {
        "cognito": {
            "profile": "cognito",
            "user_pool_id": POOL,
            "client_ids": ["a"],
            "grants": [{"when": {"groups": "g", "claims": {"/a/b": {"any_of": [1, True, "x"]}}}, "scopes": ["a", "b"]}],
        },
        "partner": {
            "profile": "oidc",
            "issuer": ["https://a.example.com", "https://b.example.com"],
            "audiences": "any",
            "jwks_uri": "https://a.example.com/jwks",
            "ca_file": "/ca.pem",
            "bearer_token_file": "/token",
            "algorithms": ["RS256", "EdDSA"],
            "leeway": "5s",
            "refresh": 60,
            "max_stale": "1.5h",
        },
    },
    "policies": {
        "one": {
            "issuers": ["cognito"],
            "token_use": "access",
            "scopes": {"all_of": ["a"], "any_of": ["b"], "none_of": ["c"]},
            "groups": {"none_of": ["guests"]},
            "claims": {"a": ["x", 1]},
            "max_age": "15m",
            "acr": ["urn:cognito:loa:2"],
            "optional": True,
        },
        "two": {"scopes": "a", "candidate": "one"},
    },
    "resource": {"id": "https://a.example.com", "scopes": ["a", "b"], "documentation": "https://a.example.com/docs"},
    "forward": {"x-a": "sub", "x-b": "@issuer", "x-c": "/a/b"},
    "metadata": ["decision", "reason"],
    "revocations_file": "/run/revocations.json",
}


def _is_accepted(value: object) -> bool:
    """Whether the compiler takes it. It never raises anything but ConfigurationError."""
    try:
        compile_configuration(value if isinstance(value, Mapping) else {"": value})
    except ConfigurationError:
        return False
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENTS[name]())


def test_configuration_with_every_kind_of_field_is_taken_by_both() -> None:
    assert _is_accepted(FULL)
    assert list(SECTION.iter_errors(FULL)) == []


def test_shipped_file_is_valid() -> None:
    document = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))

    assert list(Draft202012Validator(envoy()).iter_errors(document)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("polices",), {}),
        (("issuers",), {}),
        (("issuers", "cognito", "client_ids"), None),
        (("issuers", "cognito", "client_ids"), []),
        (("issuers", "cognito", "profile"), "cognitoo"),
        (("issuers", "cognito", "leeway"), "1 hour"),
        (("issuers", "cognito", "leeway"), 301),
        (("issuers", "partner", "algorithms"), ["HS256"]),
        (("issuers", "partner", "client_ids"), ["a"]),
        (("issuers", "partner", "user_pool_id"), POOL),
        (("issuers", "partner", "jwks_file"), "/jwks.json"),
        (("issuers", "cognito", "grants", 0, "when"), {}),
        (("issuers", "cognito", "grants", 0, "scopes"), ["a b"]),
        (("policies", "one", "scpoes"), ["a"]),
        (("policies", "one", "scopes"), []),
        (("policies", "one", "scopes"), {"all": ["a"]}),
        (("policies", "one", "scopes"), {}),
        (("policies", "one", "token_use"), "refresh"),
        (("policies", "one", "optional"), "yes"),
        (("policies", "one", "claims"), {}),
        (("policies", "one", "claims", "a"), {"any_of": {}}),
        (("policies", "public"), {}),
        (("policies", "a b"), {}),
        (("forward", "X-Upper"), "sub"),
        (("forward", "x-a"), ""),
        (("revocations_file",), ""),
    ],
    ids=str,
)
def test_error_that_shows_while_typing_is_refused_by_schema_and_reader(path: tuple[Any, ...], value: Any) -> None:
    wrong: Any = copy.deepcopy(FULL)
    place = wrong
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert not _is_accepted(wrong)
    assert list(SECTION.iter_errors(wrong))


_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 400),
    st.floats(0, 10),
    st.sampled_from(["", "a", "any", "b c", "10s", "ä"]),
)


def _mapping(names: list[str], values: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the names with such values. From pairs: Hypothesis's own dictionaries of sampled keys drew unevenly."""
    return st.lists(st.tuples(st.sampled_from(names), values), max_size=most).map(dict)


def _collected(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists and demands of such values."""
    return st.one_of(st.lists(inner, max_size=2), _mapping(["all_of", "any_of", "none_of", "other"], inner, 2))


_LISTS = st.one_of(_SCALARS, _collected(_SCALARS))
_SETS = st.one_of(_LISTS, _collected(_LISTS))
_POLICY = _mapping(
    ["issuers", "token_use", "scopes", "groups", "max_age", "optional", "claims", "userinfo", "x"],
    st.one_of(_SETS, st.sampled_from(["access", "id", "cognito"]), _mapping(["a", "/b"], _SETS, 2)),
    3,
)
_ISSUER_FIELDS = [
    "profile",
    "issuer",
    "client_ids",
    "audiences",
    "algorithms",
    "jwks_uri",
    "jwks_file",
    "leeway",
    "refresh",
    "grants",
]
_WORDS = st.sampled_from([*PROFILES, "RS256", "ES256", "https://a.example.com", "http://a", POOL])
_GRANTS = st.lists(
    st.fixed_dictionaries({"when": _mapping(["groups", "claims"], _SETS, 2), "scopes": _SETS}),
    max_size=2,
)


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from(["cognito", "partner"]),
    fields=_mapping(_ISSUER_FIELDS, st.one_of(_SETS, _WORDS, st.lists(_WORDS, max_size=2), _GRANTS), 3),
    policies=_mapping(["one", "three", "public"], _POLICY, 2),
    dropped=st.sampled_from(["", "issuers", "policies", "forward"]),
)
def test_what_the_compiler_takes_the_schema_never_refuses(
    name: str, fields: dict[str, Any], policies: dict[str, Any], dropped: str
) -> None:
    value = copy.deepcopy(FULL)
    value["issuers"][name] |= fields
    value["policies"] |= policies
    value.pop(dropped, None)

    if _is_accepted(value):
        assert [error.message for error in SECTION.iter_errors(value)] == []


@settings(max_examples=300, deadline=None)
@given(_POLICY)
def test_policy_in_place_that_is_taken_is_never_refused(value: dict[str, Any]) -> None:
    known = compile_configuration(FULL).references
    try:
        read_inline(value, known)
    except ConfigurationError:
        return

    assert [error.message for error in Draft202012Validator(policy()).iter_errors(value)] == []


_KINDS = {
    (): "root",
    ("issuers", "*"): "issuer",
    ("issuers", "*", "grants", "*"): "grant",
    ("issuers", "*", "grants", "*", "when"): "when",
    ("policies", "*"): "policy",
    ("policies", "*", "userinfo"): "userinfo",
    ("resource",): "resource",
}


def _kind(path: tuple[Any, ...]) -> str:
    """The mapping at a path of the configuration. Every other mapping with fixed fields is a set condition."""
    return _KINDS.get(tuple(step if index % 2 == 0 else "*" for index, step in enumerate(path)), "demand")


@pytest.fixture
def known_fields(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """What the readers of every kind of mapping know, gathered while they read."""
    known: dict[str, set[str]] = {}
    finish = section_module.MappingReader.finish

    def gather(self: section_module.MappingReader, *, also: tuple[str, ...] = ()) -> None:
        known.setdefault(_kind(self.path), set()).update(self._known | self._read | set(also))
        finish(self, also=also)

    monkeypatch.setattr(section_module.MappingReader, "finish", gather)
    for profile in PROFILES:
        issuer = {"profile": profile, "grants": [{"when": {"groups": {"all_of": "g"}}, "scopes": "a"}]}
        for userinfo in (True, {"required": False}):
            value = {
                **FULL,
                "issuers": {"it": issuer},
                "policies": {"p": {"userinfo": userinfo, "scopes": {"all_of": "a"}}},
            }
            _is_accepted(value)
    return known


def test_every_field_that_is_read_is_in_the_schema_and_no_other(known_fields: dict[str, set[str]]) -> None:
    root = section()["properties"]
    issuer = root["issuers"]["additionalProperties"]["properties"]
    grant = issuer["grants"]["items"]["properties"]
    one = root["policies"]["additionalProperties"]["properties"]

    described = {
        "root": root,
        "issuer": issuer,
        "grant": grant,
        "when": grant["when"]["properties"],
        "policy": one,
        "demand": one["scopes"]["anyOf"][2]["properties"],
    }
    described["resource"] = root["resource"]["properties"]
    if "userinfo" in known_fields:
        described["userinfo"] = one["userinfo"]["anyOf"][1]["properties"]
    # Read only to say that a grant cannot have it.
    known_fields["when"].discard("scopes")
    assert {kind: set(fields) for kind, fields in described.items()} == known_fields


def _described(schema: Any) -> Iterator[Any]:
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            if isinstance(value, dict) and name not in {"node", "metadata"}:
                yield name, value
        for value in schema.values():
            yield from _described(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _described(value)


def test_every_field_has_a_description_for_the_editor() -> None:
    without = [name for name, value in _described(section()) if not value.get("description") and "enum" not in value]

    assert without == []


@pytest.mark.parametrize("of", DOCUMENTS)
def test_command_prints_the_schema(of: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "--of", of]) == 0

    assert json.loads(capsys.readouterr().out) == DOCUMENTS[of]()
