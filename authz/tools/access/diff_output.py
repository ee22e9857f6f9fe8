"""Format the difference of two files as text, JSON, Markdown, GitHub workflow commands or SARIF 2.1.0."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from authz.tools.access.allow_comments import StaleComment
from authz.tools.access.example_words import claims_of, example_in_words, request_in_words
from authz.tools.access.region_changes import RegionChange
from authz.tools.access.regions.region import Region
from authz.tools.access.relation import Change, Example
from authz.tools.review_formats import code_lines, sarif, sarif_location, table_row, workflow_command

_RULE = "AUTHZ-WIDER"
_STALE_RULE = "AUTHZ-STALE-ALLOW"


def as_text(found: Sequence[RegionChange], file: str, stale: Sequence[StaleComment] = ()) -> str:
    """Each change with its example, the comments that accept nothing, then the counts."""
    notes = "".join(f"note: {file}:{each.line}: {_stale(each)}\n" for each in stale)
    return "".join(map(_paragraph, _changed(found))) + notes + _summary(found) + "\n"


def as_json(found: Sequence[RegionChange], file: str, stale: Sequence[StaleComment] = ()) -> str:
    """Every region, the equal ones included."""
    whole = {"file": file, "summary": _counts(found), "regions": list(map(_object, found))}
    return json.dumps(whole | {"stale_comments": list(map(asdict, stale))}, indent=2) + "\n"


def as_markdown(found: Sequence[RegionChange], file: str, stale: Sequence[StaleComment] = ()) -> str:
    """A table for a pull request, without the equal regions."""
    lines = [f"### Access: {file}", "", _summary(found), ""]
    changed = _changed(found)
    if changed:
        lines += ["| change | requests | before | after | example |", "|---|---|---|---|---|"]
    for each in changed:
        word = f"**{_word(each)}**" if each.is_refused else _word(each)
        cells = (word, code_lines(each.requests.describe()), each.old_policy, each.new_policy, _proof(each))
        lines.append(table_row(cells))
    lines += ["", *(f"- Line {each.line}: {_stale(each)}" for each in stale)]
    return "\n".join(lines).rstrip() + "\n"


def as_github(found: Sequence[RegionChange], file: str, stale: Sequence[StaleComment] = ()) -> str:
    """One workflow command for each widening, and for each comment that accepts nothing."""
    lines = []
    for each in _wider(found):
        level = "error" if each.is_refused else "notice"
        line = each.new.route.line if each.new is not None else 1
        message = f"{_word(each)}: {_proof(each)}"
        lines.append(workflow_command(level, file, message, line=line, title=_RULE))
    lines += [workflow_command("warning", file, _stale(each), line=each.line, title=_STALE_RULE) for each in stale]
    return "".join(lines) + _summary(found) + "\n"


def as_sarif(found: Sequence[RegionChange], file: str, stale: Sequence[StaleComment] = ()) -> str:
    """One result for each widening, and for each comment that accepts nothing."""
    rule = {"id": _RULE, "shortDescription": {"text": "A request is admitted that was refused before."}}
    stale_rule = {"id": _STALE_RULE, "shortDescription": {"text": "A comment accepts nothing."}}
    results = []
    for each in _wider(found):
        place = sarif_location(file, startLine=each.new.route.line if each.new is not None else 1)
        result: dict[str, object] = {"ruleId": _RULE, "level": "error" if each.is_refused else "note"}
        result |= {"message": {"text": f"{_word(each)}: {_proof(each)}"}, "locations": [place]}
        if each.accepted:
            result["suppressions"] = [{"kind": "inSource", "justification": each.accepted}]
        results.append(result)
    for comment in stale:
        place = sarif_location(file, startLine=comment.line)
        message = {"text": _stale(comment)}
        results.append({"ruleId": _STALE_RULE, "level": "note", "message": message, "locations": [place]})
    return sarif("authz diff", [rule, stale_rule], results=results)


def _stale(comment: StaleComment) -> str:
    return f"this `authz-diff` comment accepts nothing: {comment.problem}. {comment.fix}"


def _changed(found: Sequence[RegionChange]) -> list[RegionChange]:
    changed = [each for each in found if each.change is not Change.EQUAL]
    return sorted(changed, key=lambda each: (not each.is_refused, not each.change.is_wider))


def _wider(found: Sequence[RegionChange]) -> list[RegionChange]:
    return [each for each in _changed(found) if each.change.is_wider]


def _word(change: RegionChange) -> str:
    word = f"{change.change.value}, undecided" if change.relation.undecided else change.change.value
    return f"{word}, accepted" if change.accepted else word


def _paragraph(change: RegionChange) -> str:
    lines = [f"{_word(change)}: {_indented(change.requests.describe())}"]
    lines.append(f"  old: {change.old_policy}{_place(change.old)}")
    lines.append(f"  new: {change.new_policy}{_place(change.new)}")
    relation = change.relation
    if relation.undecided:
        lines.append(f"  undecided: {relation.undecided}")
    if relation.wider is not None:
        lines += [
            "  admitted now:",
            f"    {request_in_words(change.example())}",
            f"    {example_in_words(relation.wider)}",
        ]
    if relation.narrower is not None:
        lines += ["  refused now:", f"    {request_in_words(change.example())}"]
        lines.append(f"    {example_in_words(relation.narrower)}")
    if change.accepted:
        lines.append(f"  accepted because {change.accepted}")
    return "\n".join(lines) + "\n"


def _place(region: Region | None) -> str:
    return (
        "" if region is None else f" ({region.route.file}:{region.route.line} {region.route.name})".replace(" )", ")")
    )


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _proof(change: RegionChange) -> str:
    relation = change.relation
    parts = [f"undecided: {relation.undecided}"] if relation.undecided else []
    if relation.wider is not None:
        parts.append(f"{request_in_words(change.example())} with {example_in_words(relation.wider)} is admitted now")
    elif relation.narrower is not None and not parts:
        parts.append(f"{request_in_words(change.example())} with {example_in_words(relation.narrower)} is refused now")
    if change.accepted:
        parts.append(f"accepted because {change.accepted}")
    return "; ".join(parts)


def _counts(found: Sequence[RegionChange]) -> dict[str, int]:
    counts = Counter(each.change.value for each in found)
    return {
        **{each.value: counts[each.value] for each in Change},
        "undecided": sum(bool(each.relation.undecided) for each in found),
        "accepted": sum(bool(each.accepted) for each in found),
    }


def _summary(found: Sequence[RegionChange]) -> str:
    counts = _counts(found)
    refused = sum(each.is_refused for each in found)
    verdict = "nothing is wider" if not refused else f"{refused} wider without an accepted reason"
    shown = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    return f"{len(found)} regions: {shown or 'none'}. Result: {verdict}."


def _object(change: RegionChange) -> dict[str, object]:
    request = change.example()
    return {
        "change": change.change.value,
        "requests": change.requests.describe().split("\n"),
        "old": _side(change.old, change.old_policy),
        "new": _side(change.new, change.new_policy),
        "undecided": change.relation.undecided or None,
        "accepted": change.accepted or None,
        "request": None if request is None else request_in_words(request),
        "admitted_now": _credentials(change.relation.wider),
        "refused_now": _credentials(change.relation.narrower),
    }


def _side(region: Region | None, policy: str) -> dict[str, object]:
    if region is None:
        return {"policy": policy}
    return {"policy": policy, "route": region.route.name, "file": region.route.file, "line": region.route.line}


def _credentials(example: Example | None) -> dict[str, object] | None:
    if example is None:
        return None
    if example.token is None:
        return {"kind": example.kind}
    return {"kind": example.kind, "claims": claims_of(example), "typ": example.token.type}


FORMATS = {"text": as_text, "json": as_json, "markdown": as_markdown, "github": as_github, "sarif": as_sarif}
