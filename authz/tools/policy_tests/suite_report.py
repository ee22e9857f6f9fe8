"""Results of policy tests: text for people, TAP (version 14), JUnit XML, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from authz.terminal import Style
from authz.tools.policy_tests.coverage import Missing
from authz.tools.policy_tests.run_suite import Result, Run

Report = Callable[[Sequence[Run], Mapping[str, Missing], Style], str]
"""Runs, and by Envoy YAML what no test reaches."""


def text(runs: Sequence[Run], missing: Mapping[str, Missing], style: Style) -> str:
    """Failures with their lines, then what no test reaches, then one line of counts."""
    return "".join(f"{line}\n" for line in _text(runs, missing, style))


def _text(runs: Sequence[Run], missing: Mapping[str, Missing], style: Style) -> Iterator[str]:
    results = [result for run in runs for result in run.results]
    for result in results:
        if result.is_skipped:
            yield f"{style.warning('skip')} {result.case.name}  {style.faint('needs --envoy')}"
            continue
        mark = style.bad("FAIL") if result.problems else style.good("ok  ")
        yield f"{mark} {result.case.name}  {style.faint(_took(result))}"
        for problem in result.problems:
            yield f"     {result.case.location}: {problem}"
    for run in runs:
        if run.left_out:
            yield style.faint(_without(run))
    for config, each in missing.items():
        yield from _missing(config, each)
    failed = sum(bool(result.problems) for result in results)
    seconds = sum(result.seconds for result in results)
    skipped = sum(result.is_skipped for result in results)
    left_out = f", {skipped} skipped" if skipped else ""
    count = f"{len(results)} tests, {failed} failed{left_out}, {seconds * 1000:.0f} ms"
    yield style.bad(count) if failed else style.good(count)


def _without(run: Run) -> str:
    """Explain that a test without a token shows the response of authz, not the redirect of the oauth2 filter."""
    unseen = "what they answer themselves, as a login does with its redirect where a token is missing, is not shown"
    return f"Envoy ran without {', '.join(run.left_out)}: {unseen}."


def _took(result: Result) -> str:
    return f"{result.seconds * 1000:.1f} ms{' through Envoy' if result.through_envoy else ''}"


def _missing(config: str, missing: Missing) -> Iterator[str]:
    if missing.routes is None:
        yield f"{config}: routes are not looked at without --envoy"
    yield from (f"{route.location}: no test reaches this route" for route in missing.routes or ())
    yield f"{config}: coverage {missing.percent:.0f} %"
    for what, names in (
        ("reaches the policies", missing.policies),
        ("is let through by", missing.never_forwarded),
        ("is refused by", missing.never_refused),
        ("meets the reasons", missing.reasons),
    ):
        if names:
            yield f"{config}: no test {what} {', '.join(names)}"


def tap(runs: Sequence[Run], missing: Mapping[str, Missing], _style: Style) -> str:
    """TAP version 14: untested parts are comments."""
    results = [result for run in runs for result in run.results]
    lines = ["TAP version 14", f"1..{len(results)}"]
    for number, result in enumerate(results, 1):
        name = result.case.name.replace("\\", "\\\\").replace("#", "\\#")
        skip = " # SKIP needs --envoy" if result.is_skipped else ""
        lines.append(f"{'not ok' if result.problems else 'ok'} {number} - {name}{skip}")
        lines += [f"  # {result.case.location}: {problem}" for problem in result.problems]
    lines += [f"# {_without(run)}" for run in runs if run.left_out]
    lines += [f"# {line}" for config, each in missing.items() for line in _missing(config, each)]
    return "\n".join(lines) + "\n"


def junit(runs: Sequence[Run], _missing: Mapping[str, Missing], _style: Style) -> str:
    """JUnit XML as CI systems read it: one test suite a file."""
    root = ET.Element("testsuites")
    for run in runs:
        suite = ET.SubElement(
            root,
            "testsuite",
            name=run.suite.file,
            tests=str(len(run.results)),
            failures=str(sum(bool(result.problems) for result in run.results)),
            errors="0",
            skipped=str(sum(result.is_skipped for result in run.results)),
            time=f"{sum(result.seconds for result in run.results):.6f}",
        )
        for result in run.results:
            place = result.case.location
            case = ET.SubElement(
                suite,
                "testcase",
                classname=run.suite.file,
                name=result.case.name,
                file=place.file,
                line=str(place.line),
                time=f"{result.seconds:.6f}",
            )
            if result.is_skipped:
                ET.SubElement(case, "skipped", message="needs --envoy")
            if result.problems:
                failure = ET.SubElement(case, "failure", message=_legal(result.problems[0]))
                failure.text = _legal("\n".join((str(place), *result.problems)))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _legal(text: str) -> str:
    """Without the control characters that XML 1.0 has no way to write."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def as_json(runs: Sequence[Run], missing: Mapping[str, Missing], _style: Style) -> str:
    """One document with every outcome."""
    tests = [_json(result) for run in runs for result in run.results]
    failed = sum(bool(test["problems"]) for test in tests)
    unreached = {config: each.data() for config, each in missing.items()}
    value = {"tests": tests, "count": len(tests), "failed": failed, "unreached": unreached}
    return json.dumps(value, indent=2) + "\n"


def _json(result: Result) -> dict[str, Any]:
    met = result.outcome
    return {
        "name": result.case.name,
        "location": str(result.case.location),
        "passed": not result.problems and not result.is_skipped,
        "skipped": result.is_skipped,
        "problems": list(result.problems),
        "through_envoy": result.through_envoy,
        "decision": met.decision,
        "reason": met.reason,
        "policy": met.policy,
        "status": met.status,
        "seconds": round(result.seconds, 6),
    }


REPORTS: Mapping[str, Report] = {"text": text, "tap": tap, "junit": junit, "json": as_json}
