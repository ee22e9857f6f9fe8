"""The picture of the dashboard is small, and was drawn from the present panels."""

from __future__ import annotations

from PIL import Image

from drills.dashboard import PICTURE, filled, fingerprint, panels

MAX_BYTES = 200_000


def test_the_picture_was_drawn_from_the_present_panels() -> None:
    with Image.open(PICTURE) as picture:
        assert picture.info["Description"] == fingerprint(), "run python -m drills.dashboard"
    assert PICTURE.stat().st_size < MAX_BYTES


def test_every_query_is_asked_without_variables() -> None:
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", ())]

    assert queries
    assert [query for query in queries if "$" in filled(query)] == []
