"""Tokens that were verified before: bounded, forgetful, never older than their expiry."""

from __future__ import annotations

import string
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock
from weakref import WeakSet

import pytest

from authz.core.identity import Identity
from authz.core.token_cache import FREED_TOGETHER, MAX_CHARACTERS, MAX_ENTRIES, TokenCache
from tests.fakes.checks import NOW, Rig, access_token

LEEWAY = 10


def _identity(exp: float = NOW + 60) -> Identity:
    identity = Rig().decide(access_token()).identity
    assert identity is not None
    return replace(identity, expires_at=exp)


IDENTITY = _identity()


def _memory(entries: int = MAX_ENTRIES, characters: int = MAX_CHARACTERS) -> TokenCache:
    return TokenCache(Lock(), entries, characters)


def test_what_is_kept_is_recalled_by_its_very_text() -> None:
    memory = _memory()

    assert memory.put("a.b.c", IDENTITY) is IDENTITY

    assert memory.get("a.b.c", NOW) is IDENTITY
    assert memory.get("a.b.C", NOW) is None
    assert memory.get("a.b.c ", NOW) is None
    assert len(memory) == 1


def test_an_identity_is_recalled_until_its_leeway_ends_and_then_forgotten() -> None:
    memory = _memory()
    memory.put("t", IDENTITY)
    end = IDENTITY.expires_at + LEEWAY

    assert memory.get("t", end - 0.001) is IDENTITY
    assert memory.get("t", end) is None
    assert len(memory) == 0
    assert memory.get("t", NOW) is None


def test_a_clock_that_goes_backwards_revives_nothing_that_was_forgotten() -> None:
    memory = _memory()
    memory.put("t", IDENTITY)
    memory.get("t", IDENTITY.expires_at + LEEWAY)

    assert memory.get("t", NOW - 3600) is None


def test_no_number_of_tokens_makes_it_grow_past_its_entries() -> None:
    memory = _memory(entries=8)

    for number in range(1000):
        memory.put(str(number), IDENTITY)
        assert len(memory) <= 8

    assert memory.get("999", NOW) is IDENTITY
    assert memory.get("996", NOW) is IDENTITY
    assert memory.get("900", NOW) is None


def test_no_size_of_tokens_makes_it_grow_past_its_characters_and_one_token() -> None:
    memory = _memory(characters=100)
    kept: list[str] = []

    for number in range(200):
        text = f"{number:020}"
        memory.put(text, IDENTITY)
        kept.append(text)
        assert sum(len(text) for text in kept if memory.get(text, NOW + 1e9) is not None) == 0

    for text in kept:
        memory.put(text, IDENTITY)
    assert len(memory) * 20 <= 100 + 20


def test_the_older_half_goes_first_and_what_is_asked_for_again_survives() -> None:
    memory = _memory(entries=4)
    for text in ("often", "rarely"):
        memory.put(text, IDENTITY)

    for number in range(20):
        memory.put(str(number), IDENTITY)
        assert memory.get("often", NOW) is IDENTITY

    assert memory.get("rarely", NOW) is None


def test_keeping_the_same_token_again_counts_its_text_once() -> None:
    memory = _memory(characters=100)

    for _ in range(50):
        memory.put("x" * 10, IDENTITY)
    memory.put("y" * 10, IDENTITY)

    assert len(memory) == 2
    assert memory.get("x" * 10, NOW) is IDENTITY


@pytest.mark.parametrize("forgotten", range(1, 6))
def test_forgetting_makes_room(forgotten: int) -> None:
    """Each half holds five tokens of ten characters: forgotten tokens must not count."""
    memory = _memory(characters=100)
    for _ in range(forgotten):
        memory.put("forgotten.", IDENTITY)
        memory.forget("forgotten.")

    for letter in "abcdefghij":
        memory.put(letter * 10, IDENTITY)

    assert len(memory) == 10


def test_forgetting_reaches_the_older_half_and_what_was_never_there() -> None:
    memory = _memory(entries=2)
    memory.put("old", IDENTITY)
    memory.put("young", IDENTITY)

    memory.forget("old")
    memory.forget("never")

    assert memory.get("old", NOW) is None
    assert memory.get("young", NOW) is IDENTITY


def test_the_newest_of_two_identities_of_one_token_is_recalled() -> None:
    memory, newer = _memory(), _identity(NOW + 120)
    memory.put("t", IDENTITY)
    memory.put("t", newer)

    assert memory.get("t", NOW) is newer


@pytest.mark.parametrize("bound", [2, 3, 4, 5, 8, 9])
def test_both_halves_together_are_used_up_to_the_bound_and_not_above_it(bound: int) -> None:
    for memory in (_memory(entries=bound), _memory(characters=bound)):
        sizes = []
        for letter in string.ascii_letters:
            memory.put(letter, IDENTITY)
            sizes.append(len(memory))

        assert sizes[: bound // 2 * 2] == list(range(1, bound // 2 * 2 + 1))
        assert max(sizes) == bound // 2 * 2


def test_the_smallest_memory_remembers_the_last_token() -> None:
    for memory in (_memory(entries=0), _memory(entries=1), _memory(characters=0), _memory(characters=1)):
        for letter in "abcd":
            memory.put(letter, IDENTITY)

            assert memory.get(letter, NOW) is IDENTITY
            assert len(memory) <= 2


def test_both_halves_change_only_under_the_lock() -> None:
    held: list[str] = []

    class Watched(nullcontext[None]):
        def __enter__(self) -> None:
            held.append("in")

    memory = TokenCache(Watched())
    memory.put("a", IDENTITY)
    memory.get("a", NOW)
    assert held == ["in"]
    memory.forget("a")
    assert held == ["in", "in"]


def test_the_bounds_are_those_that_the_documentation_states() -> None:
    assert (MAX_ENTRIES, MAX_CHARACTERS) == (3072, 8 * 1024 * 1024)


@pytest.mark.parametrize("entries", [128, 200, 3072])
def test_tokens_that_leave_are_freed_little_by_little_and_never_exceed_the_bound(entries: int) -> None:
    memory = _memory(entries=entries)
    alive: WeakSet[Identity] = WeakSet()
    most_freed, before = 0, 0
    for number in range(4 * entries):
        identity = replace(IDENTITY)
        alive.add(identity)
        memory.put(f"{number:06}", identity)
        del identity
        most_freed, before = max(most_freed, before + 1 - len(alive)), len(alive)
        assert min(number, entries - 2 * FREED_TOGETHER) <= len(alive) <= entries + FREED_TOGETHER

    assert 0 < most_freed <= FREED_TOGETHER  # all that had gone at once held up a call for 5 ms


@pytest.mark.parametrize(("first", "then"), [(10, 1000), (1000, 10), (20, 10), (10, 20)])
def test_tokens_of_another_size_make_the_ones_that_leave_go_as_fast(first: int, then: int) -> None:
    memory = _memory(entries=2000, characters=400_000)
    alive: dict[int, WeakSet[Identity]] = {first: WeakSet(), then: WeakSet()}
    for size in (first, then):
        for number in range(3000):
            identity = replace(IDENTITY)
            alive[size].add(identity)
            memory.put(f"{number:0{size}}", identity)
            del identity
            assert sum(map(len, alive.values())) <= 2000 + FREED_TOGETHER
            assert sum(size * len(them) for size, them in alive.items()) <= 400_000 + 2 * FREED_TOGETHER * 1000

    assert not alive[first]
