"""The pages that people see in a browser when a request is refused, and which refusal shows which page.

The pages are static files, which Envoy serves through `local_reply_config`. Nothing of the request is repeated in them
but the request id, which Envoy makes itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import MappingProxyType

_SHELL = Path(__file__).with_name("page.html")
"""What all pages share: the style, and the places for language, title and content."""

_CONTENTS = Path(__file__).with_name("pages")
"""The content of each page in each language. Its heading is the title."""

INSTALLED = "/etc/envoy"
"""The folder that the written file names: beside the file itself, so that one ConfigMap can hold both."""

_HEADING = re.compile(r"<h1>(?P<title>[^<]+)</h1>")


def local(text: str, folder: Path) -> str:
    """An Envoy YAML that reads the pages from this folder instead."""
    return text.replace(f"filename: {INSTALLED}/", f"filename: {folder}/")


LANGUAGES: Mapping[str, str] = MappingProxyType({"ja": "ja([-,;].*)?", "en": ""})
"""Each language with the regular expression of `Accept-Language` values that ask for it first; the last has none.

Browsers list the preferred language first (RFC 9110 section 12.5.4), so the first entry decides.
"""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, for the refusals of these HTTP statuses."""

    name: str
    at_least: int
    at_most: int


PAGES = (Page("sign-in", 401, 401), Page("forbidden", 403, 403), Page("unavailable", 500, 599))


def files() -> Mapping[str, str]:
    """The text of every page by its file name."""
    return {
        f"{page.name}.{language}.html": _text(page.name, language) for page in PAGES for language in sorted(LANGUAGES)
    }


def write(folder: Path) -> None:
    """Write every page into a folder."""
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _text(name: str, language: str) -> str:
    content = (_CONTENTS / f"{name}.{language}.html").read_text(encoding="utf-8")
    heading = _HEADING.match(content)
    if heading is None:
        raise ValueError(f"{name}.{language}.html does not begin with its heading")
    shell = Template(_SHELL.read_text(encoding="utf-8"))
    return shell.substitute(language=language, title=heading["title"], content=content)
