"""The pages that people see in a browser when a request is refused, and which refusal shows which page.

The pages are static files, which Envoy serves through `local_reply_config`. Nothing of the request is repeated in them
but the request id, which Envoy makes itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

FOLDER = Path(__file__).with_name("pages")
INSTALLED = "/etc/envoy"
"""The folder that the written file names: beside the file itself, so that one ConfigMap can hold both."""


def local(text: str, folder: Path = FOLDER) -> str:
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
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.html"))}
