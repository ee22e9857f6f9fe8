"""A clean Envoy YAML that a test changes, and its findings in short."""

from __future__ import annotations

from pathlib import Path

from authz.tools.lint.examine import examine

CLEAN = (Path(__file__).parent / "AUTHZ501" / "fixed.yaml").read_text(encoding="utf-8")

LOGIN = (Path(__file__).parent / "AUTHZ704" / "fixed.yaml").read_text(encoding="utf-8")
"""The same with Envoy's OAuth2 filter before the check."""

REST = "              - match: { prefix: / }\n                route: { cluster: app }\n"

_OVERRIDE = """\
                typed_per_filter_config:
                  envoy.filters.http.ext_authz:
                    "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                    check_settings: {{ context_extensions: {{ {extensions} }} }}
"""


def changed(*changes: tuple[str, str], text: str = CLEAN) -> str:
    """Replace words in the text. Each word must exist."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def route(match: str, policy: str, target: str = "route: { cluster: app }") -> str:
    """A route that names a policy."""
    return (
        f"              - match: {match}\n                {target}\n{_OVERRIDE.format(extensions=f'policy: {policy}')}"
    )


def routes(*texts: str, also: tuple[tuple[str, str], ...] = ()) -> str:
    """The clean file with these routes only."""
    start = CLEAN.index("              routes:\n") + len("              routes:\n")
    end = CLEAN.index("\n  clusters:\n")
    return changed(*also, text=CLEAN[:start] + "".join(texts) + CLEAN[end:])


def line_of(text: str, word: str) -> int:
    """The first line that contains a word."""
    return text[: text.index(word)].count("\n") + 1


def codes(text: str) -> list[str]:
    """The codes that are found, in the order of the text."""
    return [finding.rule.code for finding in examine(text, "f")]


def places(text: str) -> list[str]:
    """`line:column code` of each finding."""
    return [f"{each.location.line}:{each.location.column} {each.rule.code}" for each in examine(text, "f")]
