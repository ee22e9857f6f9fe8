"""Comments that accept a widening, and comments that accept nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from authz.cli.main import main
from authz.tools.access.allow_comments import allow_comments
from tests.access.generated_files import Host, Plan

Compare = Callable[..., tuple[int, str]]

_ISSUERS = {"realm": {"profile": "keycloak", "issuer": "https://id.example.com/realms/a", "audiences": ["api"]}}
_OLD = Plan(_ISSUERS, {}, [Host("app", ["api.example.com"], [({"prefix": "/a"}, "deny"), ({"prefix": "/"}, "deny")])])
_WIDER = Plan(
    _ISSUERS, {}, [Host("app", ["api.example.com"], [({"prefix": "/a"}, "public"), ({"prefix": "/"}, "deny")])]
)
_REASON = "# authz-diff: allow wider because it is a public catalogue"


@pytest.fixture
def compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Compare:
    """Compare OLD with a file in which a comment is above the route of this name, and return exit code and output."""

    def compared(new: Plan, comment: str, above: str, *arguments: str) -> tuple[int, str]:
        (tmp_path / "old.yaml").write_text(_OLD.text(), encoding="utf-8")
        lines = new.text().splitlines()
        lines.insert(next(number for number, line in enumerate(lines) if f'"name": "{above}"' in line) - 1, comment)
        (tmp_path / "new.yaml").write_text("\n".join(lines), encoding="utf-8")
        code = main(["diff", *arguments, str(tmp_path / "old.yaml"), str(tmp_path / "new.yaml")])
        return code, capsys.readouterr().out

    return compared


def test_a_reason_above_the_route_accepts_its_widening(compare: Compare) -> None:
    code, out = compare(_WIDER, _REASON, "app-0")
    assert code == 0
    assert "accepted because it is a public catalogue" in out
    assert "accepts nothing" not in out


@pytest.mark.parametrize(
    ("new", "comment", "above", "code", "problem"),
    [
        (_OLD, _REASON, "app-0", 0, "nothing is wider or undecided at its route. Remove it."),
        (_WIDER, _REASON, "app-1", 1, "nothing is wider or undecided at its route. Remove it."),
        (_WIDER, _REASON, "app", 1, "no route that a request reaches begins at line"),
        (_WIDER, "# authz-diff: allow wider", "app-0", 1, "it does not say what it allows and why. Write"),
        (_WIDER, "# authz-diff: allow because it is late", "app-0", 1, "it does not say what it allows and why. Write"),
    ],
    ids=["file is equal", "other route is wider", "no route there", "no reason", "not allow wider"],
)
def test_a_comment_that_accepts_nothing_is_noted_and_does_not_change_the_exit_code(
    compare: Compare, new: Plan, comment: str, above: str, code: int, problem: str
) -> None:
    found, out = compare(new, comment, above)
    assert found == code
    assert "note: " in out
    assert f"this `authz-diff` comment accepts nothing: {problem}" in out


@pytest.mark.parametrize("output", ["json", "markdown", "github", "sarif"])
def test_every_format_shows_a_comment_that_accepts_nothing(compare: Compare, output: str) -> None:
    code, out = compare(_OLD, _REASON, "app-0", "--output", output)
    assert code == 0
    assert "nothing is wider or undecided at its route" in out
    if output in {"json", "sarif"}:
        assert json.loads(out)


def test_a_comment_beside_the_first_line_of_a_route_is_about_that_line() -> None:
    found = allow_comments(
        "a: 1\n# authz-diff: allow wider because May\n# more\n\nb: 2\nc: 3 # authz-diff: allow wider\n"
    )
    assert [(each.line, each.about, each.reason) for each in found] == [(2, 5, "May"), (6, 6, "")]
