"""Compare whole files: planted widenings are found, other forms of the same file are equal, Envoy agrees."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from authz.cli.main import main
from authz.tools.access.envoy_confirmation import confirm
from authz.tools.access.loaded_file import load
from authz.tools.access.region_changes import accepted_lines, changes
from authz.tools.access.relation import Change
from tests.access.generated_files import Plan, random_plan, rewritten, widened

PAIRS = 40


@pytest.mark.parametrize("seed", range(PAIRS))
def test_a_planted_widening_is_found(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - not a secret
    plan = random_plan(random)
    kind, changed = widened(plan, random)
    found = list(changes(load(plan.text(), "old"), load(changed.text(), "new")))
    assert any(each.change.is_wider for each in found), kind
    assert not [each.relation.undecided for each in found if each.relation.undecided]


@pytest.mark.parametrize("seed", range(PAIRS))
def test_another_form_of_the_same_file_is_equal(seed: int) -> None:
    random = Random(seed)  # noqa: S311 - not a secret
    plan = random_plan(random)
    found = changes(load(plan.text(), "old"), load(rewritten(plan, random).text(), "new"))
    assert {each.change for each in found} == {Change.EQUAL}


def test_real_envoy_refuses_each_counterexample_with_old_and_forwards_it_with_new() -> None:
    random = Random(7)  # noqa: S311 - not a secret
    plan = random_plan(random, routes=12)
    changed = copy.deepcopy(plan)
    for _ in range(6):
        _kind, changed = widened(changed, random) if "p0" in changed.policies else ("", changed)
        changed.routes = [each for each in changed.routes if each[1] not in {"public", "authenticated"}]
    old, new = load(plan.text(), "old"), load(changed.text(), "new")
    found = list(changes(old, new))
    confirmed = confirm(old, new, found)
    assert len(confirmed) >= 3
    assert [each for each in confirmed if not each.holds] == []


Write = Callable[[str, Plan], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a plan to a file and return its name."""

    def written(name: str, plan: Plan) -> str:
        (tmp_path / name).write_text(plan.text(), encoding="utf-8")
        return str(tmp_path / name)

    return written


def _pair() -> tuple[Plan, Plan]:
    plan = random_plan(Random(1))  # noqa: S311 - not a secret
    changed = copy.deepcopy(plan)
    changed.routes[0] = (plan.routes[0][0], "public")
    return plan, changed


def test_the_exit_code_is_0_without_a_widening_and_1_with_one(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (write(name, plan) for name, plan in zip(("old.yaml", "new.yaml"), _pair(), strict=True))
    assert main(["diff", old, old]) == 0
    assert "nothing is wider" in capsys.readouterr().out
    assert main(["diff", old, new]) == 1
    out = capsys.readouterr().out
    assert "admitted now:" in out
    assert "no token" in out
    assert main(["diff", new, old]) == 0
    assert "narrower" in capsys.readouterr().out


@pytest.mark.parametrize("output", ["json", "markdown", "github", "sarif"])
def test_every_format_shows_the_widening(write: Write, capsys: pytest.CaptureFixture[str], output: str) -> None:
    old, new = (write(name, plan) for name, plan in zip(("old.yaml", "new.yaml"), _pair(), strict=True))
    assert main(["diff", "--output", output, old, new]) == 1
    out = capsys.readouterr().out
    assert "wider" in out
    if output in {"json", "sarif"}:
        parsed: Any = json.loads(out)
        assert parsed


def test_files_that_do_not_load_are_named_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("node: [", encoding="utf-8")
    assert main(["diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml")]) == 2
    err = capsys.readouterr().err
    assert "a.yaml" in err
    assert "b.yaml" in err


def test_confirm_shows_that_envoy_agrees(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = (write(name, plan) for name, plan in zip(("old.yaml", "new.yaml"), _pair(), strict=True))
    assert main(["diff", "--confirm", old, new]) == 1
    err = capsys.readouterr().err
    assert "confirmed: OLD refuses, NEW forwards" in err
    assert "Envoy confirms 1 of 1 examples" in err


def test_an_accepted_widening_does_not_fail_the_comparison(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, changed = _pair()
    old = write("old.yaml", plan)
    lines = changed.text().splitlines()
    first = next(number for number, line in enumerate(lines) if '"name": "r0"' in line) - 1
    lines.insert(first, "# authz-diff: allow wider because it is a public catalogue")
    new = tmp_path / "new.yaml"
    new.write_text("\n".join(lines), encoding="utf-8")
    assert main(["diff", old, str(new)]) == 0
    assert "accepted because it is a public catalogue" in capsys.readouterr().out


def test_a_reasoned_comment_accepts_a_widening_and_one_without_a_reason_does_not() -> None:
    text = "a: 1\n# authz-diff: allow wider because partners start in May\nb: 2\nc: 3 # authz-diff: allow wider\n"
    assert accepted_lines(text) == {3: "partners start in May"}


def test_other_http_filters_are_undecided_and_so_wider() -> None:
    plan = random_plan(Random(1))  # noqa: S311 - not a secret
    new = plan.text().replace('"transport_api_version"', '"failure_mode_allow": true, "transport_api_version"')
    found = list(changes(load(plan.text(), "old"), load(new, "new")))
    assert all(each.change.is_wider and "HTTP filters" in each.relation.undecided for each in found)
