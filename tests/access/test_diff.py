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
from authz.tools.access.envoy_confirmation import Confirmation, confirm_all
from authz.tools.access.loaded_file import load
from authz.tools.access.region_changes import changes
from authz.tools.envoy_run.envoy_process import AccessLogEntry
from tests.access.generated_files import Plan, random_plan
from tests.access.generated_pairs import (
    KINDS,
    compared,
    contradicted,
    mixed,
    planted,
    wrong_in_narrowing,
    wrong_in_other_form,
    wrong_in_widening,
)
from tests.access.independent_judge import Judges
from tests.access.other_forms import FORMS, in_other_form
from tests.access.planted_kind import Kind

MIXED = 12


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_planted_widening_is_found_and_nothing_else(kind: Kind) -> None:
    pair = planted(kind, seed=1)
    result = compared(pair.old, pair.new)
    assert list(wrong_in_widening(pair, result)) == []
    assert list(contradicted(result, Judges(pair.old, pair.new).verdicts())) == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.is_mixed], ids=lambda kind: kind.name)
def test_a_planted_narrowing_is_narrower_and_nothing_is_wider(kind: Kind) -> None:
    pair = planted(kind, seed=2, is_pure=True)
    assert list(wrong_in_narrowing(pair, compared(pair.new, pair.old))) == []


@pytest.mark.parametrize("form", FORMS)
def test_another_form_of_the_same_file_is_equal(form: str) -> None:
    random = Random(form)  # noqa: S311 - not a secret
    plan = random_plan(random)
    assert list(wrong_in_other_form(compared(plan, in_other_form(plan, form, random)))) == []


@pytest.mark.parametrize("seed", range(MIXED))
def test_several_changes_at_once_agree_with_the_independent_judge(seed: int) -> None:
    old, new = mixed(seed)
    assert list(contradicted(compared(old, new), Judges(old, new).verdicts())) == []


def test_real_envoy_refuses_each_counterexample_with_old_and_forwards_it_with_new() -> None:
    results = [compared(pair.old, pair.new) for pair in (planted(kind, seed=3) for kind in KINDS[::6])]
    confirmed = confirm_all([(each.old, each.new, each.found) for each in results])
    assert len(confirmed) >= len(results)
    assert [each for each in confirmed if not each.holds] == []


def test_a_request_that_old_forwards_too_or_that_fails_is_not_confirmed() -> None:
    forwarded, refused = AccessLogEntry("r", "via_upstream"), AccessLogEntry("r", "ext_authz_denied")
    failed = AccessLogEntry("r", "ext_authz_error")
    (result,) = [compared(pair.old, pair.new) for pair in [planted(KINDS[0], seed=1)]]
    held = [
        Confirmation(result.found[0], old, new).holds
        for old in (refused, forwarded, failed, None)
        for new in (forwarded, refused, failed, None)
    ]
    assert held == [True] + 15 * [False]
    assert str(Confirmation(result.found[0], failed, None)) == "NOT CONFIRMED: OLD ext_authz_error, NEW no response"


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
    changed.hosts[0].routes[0] = (plan.hosts[0].routes[0][0], "public")
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


def test_other_http_filters_are_undecided_and_so_wider() -> None:
    plan = random_plan(Random(1))  # noqa: S311 - not a secret
    new = plan.text().replace('"transport_api_version"', '"failure_mode_allow": true, "transport_api_version"')
    found = list(changes(load(plan.text(), "old"), load(new, "new")))
    assert all(each.change.is_wider and "HTTP filters" in each.relation.undecided for each in found)
