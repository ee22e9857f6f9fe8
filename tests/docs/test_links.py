"""Every link between the documents has an existing target."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, links


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(document: Path) -> None:
    broken = [target for target in links(document) if not _leads_somewhere(document, target)]

    assert broken == []


def _leads_somewhere(document: Path, target: str) -> bool:
    if target.startswith("https://"):
        return True
    name, _hash, anchor = target.partition("#")
    path = (document.parent / name).resolve() if name else document
    return path.exists() and path.is_relative_to(ROOT) and (not anchor or anchor in anchors(path))


def test_every_document_in_docs_can_be_reached_from_the_readme() -> None:
    reached, new = {ROOT / "README.md"}, [ROOT / "README.md"]
    while new:
        document = new.pop()
        targets = ((document.parent / target.partition("#")[0]).resolve() for target in links(document))
        for path in targets:
            for found in [path] if path.suffix == ".md" else path.glob("*.md") if path.is_dir() else []:
                if found.exists() and found not in reached:
                    reached.add(found)
                    new.append(found)

    assert set(DOCUMENTS) - reached == set()
