"""The login form is read as a browser reads it."""

from __future__ import annotations

from authz.tools.demo.login import _LoginForm


def test_form_has_its_target_and_its_hidden_fields() -> None:
    form = _LoginForm(
        '<form action="/login?a=1&amp;b=2" method="post"><input type="hidden" name="state" value="s&quot;t">'
        '<input name="username"><input type="password" name="password"><button>Sign in</button></form>'
    )

    assert form.action == "/login?a=1&b=2"
    assert form.fields == {"state": 's"t', "username": "", "password": ""}


def test_fields_outside_of_the_first_form_are_not_its_fields() -> None:
    form = _LoginForm(
        '<input name="a"><form action="/x"><input name="b"></form><form action="/y"><input name="c"></form>'
    )

    assert form.action == "/x"
    assert list(form.fields) == ["b"]
