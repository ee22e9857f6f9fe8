"""Two user pools in two regions behind one Envoy: neither is accepted for the other."""

from __future__ import annotations

from tests.clients.matrix import claims_of
from tests.clients.test_user_pools_api import TRAP
from tests.clients.world import World, sign_in


def test_pools_of_two_regions_are_kept_apart(world: World, boto: list[str]) -> None:
    people, partners = world.people, world.partners
    ours = sign_in(boto, people, people.reader, "USER_PASSWORD_AUTH")["access"]
    theirs = sign_in(boto, partners, partners.reader, "USER_PASSWORD_AUTH")["access"]

    assert claims_of(theirs)["iss"] == f"https://cognito-idp.eu-west-1.amazonaws.com/{partners.pool_id}"
    assert world.decision("/orders", ours) == "200"
    assert world.put_down("Cognito, second pool", "API: USER_PASSWORD_AUTH", "boto3", "access", theirs) == TRAP
    assert world.decision("/partners", theirs) == "200"
    assert world.decision("/partners", ours) == "401 issuer_not_accepted"


def test_signature_of_one_pool_under_the_name_of_the_other_is_refused(world: World, boto: list[str]) -> None:
    people, partners = world.people, world.partners
    ours = sign_in(boto, people, people.reader, "USER_PASSWORD_AUTH")["access"].split(".")
    theirs = sign_in(boto, partners, partners.reader, "USER_PASSWORD_AUTH")["access"].split(".")

    for header in (ours[0], theirs[0]):
        decision = world.decision("/me", ".".join([header, ours[1], theirs[2]]))
        assert decision in {"401 signature_invalid", "401 key_unknown"}
