"""An operator's mistake, as it is read."""

from __future__ import annotations

from authz.core.problems import ConfigurationError, Location, Problem


def test_a_mistake_says_where_what_and_what_instead() -> None:
    mistake = Problem(("issuers", "cognito", "grants", 0), "scopes is missing", "Write the scopes.")

    assert str(mistake) == "issuers.cognito.grants.0: scopes is missing. Write the scopes."


def test_a_problem_of_the_whole_document_has_no_position_in_front() -> None:
    assert str(Problem((), "issuers is missing", "Name one.")) == "issuers is missing. Name one."


def test_mistakes_are_read_one_per_line_in_the_order_in_which_they_were_found() -> None:
    found = (Problem(("b",), "wrong", "Mend it."), Problem(("a",), "wrong too", "Mend it as well.", on_key=True))

    mistakes = ConfigurationError(found)

    assert mistakes.problems == found
    assert str(mistakes) == "b: wrong. Mend it.\na: wrong too. Mend it as well."


def test_a_problem_with_a_location_shows_file_line_and_column() -> None:
    error = ConfigurationError.because("it is wrong", "Fix it.", Location("envoy.yaml", 3, 7))

    assert str(error) == "envoy.yaml:3:7: it is wrong. Fix it."


def test_a_problem_without_a_fix_ends_with_its_message() -> None:
    assert str(Problem(("issuers",), "it is wrong", "")) == "issuers: it is wrong"


def test_an_error_of_a_message_alone_is_that_message_at_no_position() -> None:
    error = ConfigurationError.because("it is wrong")

    assert error.problems == (Problem((), "it is wrong", ""),)
    assert str(error) == "it is wrong"
