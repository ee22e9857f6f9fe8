"""An operator's mistake, as it is read."""

from __future__ import annotations

from authz.core.mistakes import Mistake, Mistakes


def test_a_mistake_says_where_what_and_what_instead() -> None:
    mistake = Mistake(("issuers", "cognito", "grants", 0), "scopes is missing", "Write the scopes.")

    assert str(mistake) == "issuers.cognito.grants.0: scopes is missing. Write the scopes."


def test_a_mistake_of_the_whole_document_says_so() -> None:
    assert str(Mistake((), "issuers is missing", "Name one.")) == "the document: issuers is missing. Name one."


def test_mistakes_are_read_one_per_line_in_the_order_in_which_they_were_found() -> None:
    found = (Mistake(("b",), "wrong", "Mend it."), Mistake(("a",), "wrong too", "Mend it as well.", on_key=True))

    mistakes = Mistakes(found)

    assert mistakes.found == found
    assert str(mistakes) == "b: wrong. Mend it.\na: wrong too. Mend it as well."
