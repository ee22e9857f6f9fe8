"""A straight first-match interpreter of route tables, and random tables and requests for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from authz.envoy.document import YamlDocument
from authz.envoy.resources import Resources

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

_SEGMENTS = ("a", "b", "ab", "A", "a-b")
_WORDS = ("", "a", "b", "ab", "ba", "A")
_HOSTS = (
    "x.test",
    "y.test",
    "a.x.test",
    "b.a.x.test",
    "x.other",
    "X.test",
    "x.test:81",
    "A.X.test:81",
    "[::1]",
    "[::1]:81",
    "",
    "a@x.test",
)
_DOMAINS = ("x.test", "y.test", "*.x.test", "*.test", "*.a.x.test", "x.*", "a.*", "a.x.*", "*", "*x.test", "x.test:81")
_AUTHORITIES = ("x.test", "X.test", "x.", "a.x", ".test", "test", "x.test:81", ":81", "[::1]")
_AUTHORITY_REGEXES = ("x[.].*", "[^:]*", "(?i).*[.]TEST", ".*:[0-9]+", "^[a-z.]+$", "(?:[ax][.])+test", "[^A-Z]*")
_REGEXES = ("/a", "/[ab]+", "/a/.*", "/(a|b)/?", "/a{1,2}b?", "(?i)/a.*", ".*b", "/[^/]*", "^/a$", "/a|/b/.*")
_TARGETS = ("/a", "/a?", "/ab;", "q=", "b", "/a?q=a")
_TARGET_REGEXES = ("/a(?:[?].*)?", "[^?]*", "[^;]*", "(?:/[ab]*)+(?:[?].*)?", "[^?]*[?]q=a.*", "/.*;.*", "/a[^;]+")
_TEXT_REGEXES = ("a", "[ab]+", "a.*", "(b|)", "(a|b)?", "[^a]")


@dataclass(frozen=True)
class Request:
    """One request as Envoy's route table sees it."""

    host: str
    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of_target(cls, host: str, method: str, target: str, headers: dict[str, str]) -> Request:
        """The request with this `:path`. The first of several equal parameters counts."""
        path, mark, query = target.partition("?")
        pairs = [each.partition("=")[::2] for each in query.split("&") if each] if mark else []
        return cls(host, method, path, headers, dict(reversed(pairs)), target)

    written: str = ""
    """The `:path`, if it is not the path with the parameters of `query`."""

    @property
    def target(self) -> str:
        """The `:path`."""
        pairs = "&".join(f"{name}={value}" for name, value in self.query.items())
        return self.written or (f"{self.path}?{pairs}" if pairs else self.path)

    def parts(self, *, ignores_port: bool = False) -> dict[str, str | None]:
        """The parts as a RequestSet names them."""
        query = {f"?{name}": value for name, value in self.query.items()}
        return {
            "host": (compared_name(self.host) if ignores_port else self.host.lower())[::-1],
            ":authority": self.host[::-1],
            "path": self.path,
            ":path": self.target,
            ":method": self.method,
            **self.headers,
            **query,
        }


def _texts(words: tuple[str, ...], patterns: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    word = st.sampled_from(words[1:])
    plain = st.one_of(*(st.fixed_dictionaries({kind: word}) for kind in ("exact", "prefix", "suffix", "contains")))
    cased = st.builds(lambda one, is_any: {**one, "ignore_case": is_any}, plain, st.booleans())
    return cased | st.builds(lambda regex: {"safe_regex": {"regex": regex}}, st.sampled_from(patterns))


_PATHS = st.lists(st.sampled_from(_SEGMENTS), max_size=3).map(lambda parts: "/" + "/".join(parts))
_PATH_MATCHES = st.one_of(
    st.builds(lambda text, cased: {"path": text, **cased}, _PATHS, st.sampled_from([{}, {"case_sensitive": False}])),
    st.builds(lambda text, cased: {"prefix": text, **cased}, _PATHS, st.sampled_from([{}, {"case_sensitive": False}])),
    _PATHS.filter(lambda text: text != "/").map(lambda text: {"path_separated_prefix": text}),
    st.sampled_from(_REGEXES).map(lambda text: {"safe_regex": {"regex": text}}),
)
_METHODS = st.sampled_from(["GET", "POST"]).map(lambda text: {"name": ":method", "string_match": {"exact": text}})


def _header(name: str, match: dict[str, Any], inverted: bool, empty: bool) -> dict[str, Any]:  # noqa: FBT001
    found: dict[str, Any] = {"name": name, **match}
    if inverted:
        found["invert_match"] = True
    if empty and "string_match" in match:
        found["treat_missing_header_as_empty"] = True
    return found


_HEADERS = _METHODS | st.builds(
    _header,
    st.sampled_from(["x-one", "x-two"]),
    _texts(_WORDS, _TEXT_REGEXES).map(lambda text: {"string_match": text})
    | st.booleans().map(lambda flag: {"present_match": flag}),
    st.booleans(),
    st.booleans(),
)
_TARGET_HEADERS = st.builds(
    lambda text, is_inverted: {
        "name": ":path",
        "string_match": text,
        **({"invert_match": True} if is_inverted else {}),
    },
    _texts(("", *_TARGETS), _TARGET_REGEXES),
    st.booleans(),
)
_HOST_HEADERS = st.builds(
    lambda name, text, is_inverted: {
        "name": name,
        "string_match": text,
        **({"invert_match": True} if is_inverted else {}),
    },
    st.sampled_from([":authority", "host", "Host"]),
    _texts(("", *_AUTHORITIES), _AUTHORITY_REGEXES),
    st.booleans(),
)
_QUERY = st.builds(
    lambda name, match: {"name": name, **match},
    st.sampled_from(["q", "r"]),
    _texts(_WORDS, _TEXT_REGEXES).map(lambda text: {"string_match": text}) | st.just({"present_match": True}),
)
MATCHES = st.builds(
    lambda path, headers, query: {
        **path,
        **({"headers": headers} if headers else {}),
        **({"query_parameters": query} if query else {}),
    },
    _PATH_MATCHES,
    st.lists(_HEADERS | _TARGET_HEADERS | _HOST_HEADERS, max_size=2),
    st.lists(_QUERY, max_size=1),
)


@st.composite
def tables(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Virtual hosts with routes. Every route has another name."""
    domains = draw(st.lists(st.sampled_from(_DOMAINS), min_size=1, max_size=5, unique=True))
    cut = draw(st.integers(0, len(domains)))
    hosts = []
    for number, names in enumerate(each for each in (domains[:cut], domains[cut:]) if each):
        routes = [
            {"name": f"{number}-{index}", "match": match, "direct_response": {"status": 200}}
            for index, match in enumerate(draw(st.lists(MATCHES, min_size=1, max_size=6)))
        ]
        hosts.append({"name": f"host-{number}", "domains": names, "routes": routes})
    return hosts


def _optional(names: list[str]) -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(names), st.sampled_from(_WORDS), max_size=2)


REQUESTS = st.builds(
    Request,
    st.sampled_from(_HOSTS),
    st.sampled_from(["GET", "POST", "PUT"]),
    st.lists(st.sampled_from((*_SEGMENTS, "", "B", "aab", "a;b", ";")), max_size=3).map(
        lambda parts: "/" + "/".join(parts)
    ),
    _optional(["x-one", "x-two"]),
    _optional(["q", "r"]),
)


def configuration(
    hosts: list[dict[str, Any]], port: int = 8080, *, ignores_parameters: bool = False, ignores_port: bool = False
) -> dict[str, Any]:
    """A bootstrap with one listener and these virtual hosts."""
    manager = {
        "@type": HTTP,
        "stat_prefix": "http",
        "route_config": {
            "virtual_hosts": hosts,
            "ignore_path_parameters_in_path_matching": ignores_parameters,
            "ignore_port_in_host_matching": ignores_port,
        },
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"static_resources": {"listeners": [{"name": "in", "address": address, "filter_chains": [chain]}]}}


def resources(
    hosts: list[dict[str, Any]], *, ignores_parameters: bool = False, ignores_port: bool = False
) -> Resources:
    """The model of a configuration with these virtual hosts."""
    data = configuration(hosts, ignores_parameters=ignores_parameters, ignores_port=ignores_port)
    return Resources(YamlDocument(data, {}, "envoy.yaml"))


def compared(path: str) -> str:
    """A path as routes compare it in a table that ignores path parameters."""
    return "/".join(segment.partition(";")[0] for segment in path.split("/"))


def compared_name(host: str) -> str:
    """A host as a table that ignores the port compares it. The colons of an IPv6 address are no port."""
    name, colon, port = host.lower().rpartition(":")
    return name if colon and "]" not in port else host.lower()


def first_match(
    hosts: list[dict[str, Any]], request: Request, *, ignores_parameters: bool = False, ignores_port: bool = False
) -> str | None:
    """The name of the route that takes a request. None if none does."""
    if ignores_parameters:
        request = replace(request, path=compared(request.path), written=request.target)
    host = _virtual_host(hosts, compared_name(request.host) if ignores_port else request.host.lower())
    routes = host["routes"] if host is not None else []
    return next((each["name"] for each in routes if matches(each["match"], request)), None)


def _virtual_host(hosts: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    known = {domain.lower(): host for host in hosts for domain in host["domains"]}
    if name in known:
        return known[name]
    by_length = sorted(known, key=len, reverse=True)
    for domain in by_length:
        if domain != "*" and domain.startswith("*") and name.endswith(domain[1:]) and len(name) >= len(domain):
            return known[domain]
    for domain in by_length:
        if domain != "*" and domain.endswith("*") and name.startswith(domain[:-1]) and len(name) >= len(domain):
            return known[domain]
    return known.get("*")


def matches(match: dict[str, Any], request: Request) -> bool:
    """Whether a request meets a `match`."""
    return (
        _path(match, request.path)
        and all(_header_matches(each, request) for each in match.get("headers", ()))
        and all(_query_matches(each, request) for each in match.get("query_parameters", ()))
    )


def _path(match: dict[str, Any], path: str) -> bool:
    if "safe_regex" in match:
        return re.fullmatch(match["safe_regex"]["regex"], path) is not None
    ((kind, text),) = ((kind, match[kind]) for kind in ("path", "prefix", "path_separated_prefix") if kind in match)
    if match.get("case_sensitive") is False:
        text, path = text.lower(), path.lower()
    if kind == "path":
        return bool(path == text)
    return path.startswith(text) if kind == "prefix" else path == text or path.startswith(f"{text}/")


def _header_matches(matcher: dict[str, Any], request: Request) -> bool:
    known = {":method": request.method, ":path": request.target, **request.headers}
    known |= {":authority": request.host, "host": request.host}
    value = known.get(matcher["name"].lower())
    is_inverted = matcher.get("invert_match", False)
    if "present_match" in matcher:
        return ((value is not None) is matcher["present_match"]) is not is_inverted
    if value is None and matcher.get("treat_missing_header_as_empty"):
        value = ""
    if value is None:
        return False
    return _text(matcher["string_match"], value) is not is_inverted


def _query_matches(matcher: dict[str, Any], request: Request) -> bool:
    value = request.query.get(matcher["name"])
    return value is not None and ("string_match" not in matcher or _text(matcher["string_match"], value))


def _text(matcher: dict[str, Any], value: str) -> bool:
    if "safe_regex" in matcher:
        return re.fullmatch(matcher["safe_regex"]["regex"], value) is not None
    ((kind, text),) = ((kind, each) for kind, each in matcher.items() if kind != "ignore_case")
    if matcher.get("ignore_case"):
        text, value = text.lower(), value.lower()
    tests = {"exact": value == text, "prefix": value.startswith(text), "suffix": value.endswith(text)}
    return bool(tests.get(kind, text in value))
