"""README.ja.md matches README.md: the same parts, the same code, the same links."""

from __future__ import annotations

import re

from tests.docs.markdown import ROOT, blocks, headings, links, prose

_ENGLISH = ROOT / "README.md"
_JAPANESE = ROOT / "README.ja.md"


def test_both_have_the_same_headings_in_the_same_places() -> None:
    assert [level for level, _text in headings(_JAPANESE)] == [level for level, _text in headings(_ENGLISH)]


def test_both_have_the_same_blocks_of_code() -> None:
    english = [(block.language, block.text) for block in blocks(_ENGLISH)]

    assert [(block.language, block.text) for block in blocks(_JAPANESE)] == english


def test_both_link_to_the_same_places() -> None:
    each_other = {"README.md", "README.ja.md"}

    assert set(links(_JAPANESE)) - each_other == set(links(_ENGLISH)) - each_other


def test_both_name_the_same_commands_and_fields_in_every_part() -> None:
    def _names(text: str) -> list[list[str]]:
        return [sorted(re.findall(r"`([^`\n]+)`", part)) for part in re.split(r"^#+ ", text, flags=re.MULTILINE)]

    assert _names(prose(_JAPANESE)) == _names(prose(_ENGLISH))
