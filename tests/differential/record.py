"""Writes accepted.json: how many tokens the corpus has, and which bad ones other libraries accept.

npm ci --prefix tests/differential && python -m tests.differential.record
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from authz.core.reasons import Reason
from tests.differential import judges
from tests.differential.corpus import RULES, bad_tokens, good_tokens
from tests.fakes.checks import Rig

ACCEPTED = Path(__file__).with_name("accepted.json")


def accepted(names: Iterable[str | bool]) -> list[str]:
    """The names among names and falsehoods, in order."""
    return sorted(name for name in names if isinstance(name, str))


def table() -> str:
    """The rows of docs/security.md: by family, how many bad tokens there are and how many each library accepts."""
    recorded = json.loads(ACCEPTED.read_text(encoding="utf-8"))
    families = Counter(name.partition(":")[0] for name in recorded["bad"])
    libraries = {
        library: Counter(name.partition(":")[0] for name in names) for library, names in recorded["accepted"].items()
    }
    rows = [
        (family, RULES[family], families[family], *(counts[family] for counts in libraries.values()))
        for family in RULES
    ]
    total = ("all", "", sum(families.values()), *(sum(counts.values()) for counts in libraries.values()))
    heading = ("kind", "the rule that is broken", "bad tokens", *libraries)
    lines = [heading, tuple("---" for _ in heading), *rows, total]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def main() -> None:
    """Ask every library and write down its verdicts."""
    now = int(time.time())
    bad = bad_tokens(now)
    verdicts = judges.node_verdicts(bad)
    rig = Rig()
    found = {"this product": accepted(rig.reason(token, now=now) is Reason.OK and name for name, token in bad.items())}
    found["PyJWT"] = accepted(judges.pyjwt_accepts(token) and name for name, token in bad.items())
    for library in judges.NODE_LIBRARIES:
        found[library] = accepted(verdicts[name][library] and name for name in bad)
    text = json.dumps(
        {"good": list(good_tokens(now)), "bad": list(bad), "accepted": found}, indent=1, ensure_ascii=False
    )
    ACCEPTED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
