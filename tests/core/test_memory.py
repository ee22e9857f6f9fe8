"""Tokens that were verified before: bounded, forgetful, never older than their expiry."""

from __future__ import annotations

import string
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock

import pytest

from authz.core.identity import Identity
from authz.core.memory import MAX_CHARACTERS, MAX_ENTRIES, TokenMemory
from tests.fakes.checks import NOW, Rig, access_token

LEEWAY = 10


def _identity(exp: float = NOW + 60) -> Identity:
    identity = Rig().decide(access_token()).identity
    assert identity is not None
    return replace(identity, expires_at=exp)


IDENTITY = _identity()


def _memory(entries: int = MAX_ENTRIES, characters: int = MAX_CHARACTERS) -> TokenMemory:
    return TokenMemory(Lock(), entries, characters)


def test_what_is_kept_is_recalled_by_its_very_text() -> None:
    memory = _memory()

    assert memory.keep("a.b.c", IDENTITY) is IDENTITY

    assert memory.recall("a.b.c", NOW) is IDENTITY
    assert memory.recall("a.b.C", NOW) is None
    assert memory.recall("a.b.c ", NOW) is None
    assert len(memory) == 1


def test_an_identity_is_recalled_until_its_leeway_ends_and_then_forgotten() -> None:
    memory = _memory()
    memory.keep("t", IDENTITY)
    end = IDENTITY.expires_at + LEEWAY

    assert memory.recall("t", end - 0.001) is IDENTITY
    assert memory.recall("t", end) is None
    assert len(memory) == 0
    assert memory.recall("t", NOW) is None


def test_a_clock_that_goes_backwards_revives_nothing_that_was_forgotten() -> None:
    memory = _memory()
    memory.keep("t", IDENTITY)
    memory.recall("t", IDENTITY.expires_at + LEEWAY)

    assert memory.recall("t", NOW - 3600) is None


def test_no_number_of_tokens_makes_it_grow_past_its_entries() -> None:
    memory = _memory(entries=8)

    for number in range(1000):
        memory.keep(str(number), IDENTITY)
        assert len(memory) <= 8

    assert memory.recall("999", NOW) is IDENTITY
    assert memory.recall("996", NOW) is IDENTITY
    assert memory.recall("900", NOW) is None


def test_no_size_of_tokens_makes_it_grow_past_its_characters_and_one_token() -> None:
    memory = _memory(characters=100)
    kept: list[str] = []

    for number in range(200):
        text = f"{number:020}"
        memory.keep(text, IDENTITY)
        kept.append(text)
        assert sum(len(text) for text in kept if memory.recall(text, NOW + 1e9) is not None) == 0

    for text in kept:
        memory.keep(text, IDENTITY)
    assert len(memory) * 20 <= 100 + 20


def test_the_older_half_goes_first_and_what_is_asked_for_again_survives() -> None:
    memory = _memory(entries=4)
    for text in ("often", "rarely"):
        memory.keep(text, IDENTITY)

    for number in range(20):
        memory.keep(str(number), IDENTITY)
        assert memory.recall("often", NOW) is IDENTITY

    assert memory.recall("rarely", NOW) is None


def test_keeping_the_same_token_again_counts_its_text_once() -> None:
    memory = _memory(characters=100)

    for _ in range(50):
        memory.keep("x" * 10, IDENTITY)
    memory.keep("y" * 10, IDENTITY)

    assert len(memory) == 2
    assert memory.recall("x" * 10, NOW) is IDENTITY


@pytest.mark.parametrize("forgotten", range(1, 6))
def test_forgetting_makes_room(forgotten: int) -> None:
    """Each half holds five tokens of ten characters: what was forgotten must not count among them."""
    memory = _memory(characters=100)
    for _ in range(forgotten):
        memory.keep("forgotten.", IDENTITY)
        memory.forget("forgotten.")

    for letter in "abcdefghij":
        memory.keep(letter * 10, IDENTITY)

    assert len(memory) == 10


def test_forgetting_reaches_the_older_half_and_what_was_never_there() -> None:
    memory = _memory(entries=2)
    memory.keep("old", IDENTITY)
    memory.keep("young", IDENTITY)

    memory.forget("old")
    memory.forget("never")

    assert memory.recall("old", NOW) is None
    assert memory.recall("young", NOW) is IDENTITY


def test_the_newest_of_two_identities_of_one_token_is_recalled() -> None:
    memory, newer = _memory(), _identity(NOW + 120)
    memory.keep("t", IDENTITY)
    memory.keep("t", newer)

    assert memory.recall("t", NOW) is newer


@pytest.mark.parametrize("bound", [2, 3, 4, 5, 8, 9])
def test_both_halves_together_are_used_up_to_the_bound_and_not_above_it(bound: int) -> None:
    for memory in (_memory(entries=bound), _memory(characters=bound)):
        sizes = []
        for letter in string.ascii_letters:
            memory.keep(letter, IDENTITY)
            sizes.append(len(memory))

        assert sizes[: bound // 2 * 2] == list(range(1, bound // 2 * 2 + 1))
        assert max(sizes) == bound // 2 * 2


def test_the_smallest_memory_remembers_the_last_token() -> None:
    for memory in (_memory(entries=0), _memory(entries=1), _memory(characters=0), _memory(characters=1)):
        for letter in "abcd":
            memory.keep(letter, IDENTITY)

            assert memory.recall(letter, NOW) is IDENTITY
            assert len(memory) <= 2


def test_both_halves_change_only_under_the_lock() -> None:
    held: list[str] = []

    class Watched(nullcontext[None]):
        def __enter__(self) -> None:
            held.append("in")

    memory = TokenMemory(Watched())
    memory.keep("a", IDENTITY)
    memory.recall("a", NOW)
    assert held == ["in"]
    memory.forget("a")
    assert held == ["in", "in"]


def test_the_bounds_are_those_that_the_documentation_states() -> None:
    assert (MAX_ENTRIES, MAX_CHARACTERS) == (3072, 8 * 1024 * 1024)
