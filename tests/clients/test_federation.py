"""Users who come to the pool from another provider: Cognito puts them into a group that is named after it."""

from __future__ import annotations

from tests.clients.directory import COMPANY, FEDERATION, PERMANENT
from tests.clients.matrix import claims_of
from tests.clients.test_hosted_ui import READING
from tests.clients.test_user_pools_api import IDENTITY
from tests.clients.world import World

_PERSON = {"login": "erin", "password": "whatever"}


def test_federated_user_gets_in_through_the_providers_group(world: World, provider: str) -> None:
    """Real from end to end: the login page is the certified provider's, the pool is the emulator's."""
    assert provider
    tokens = world.people.web.sign_in(_PERSON, "openid", identity_provider=FEDERATION)

    flow = "OpenID federation: code with PKCE"
    assert claims_of(tokens["access_token"])["cognito:groups"] == [f"{world.people.pool_id}_{FEDERATION}"]
    assert claims_of(tokens["id_token"])["identities"][0]["providerName"] == FEDERATION
    assert world.put_down("Cognito", flow, "browser", "access", tokens["access_token"]) == READING
    assert world.put_down("Cognito", flow, "browser", "id", tokens["id_token"]) == IDENTITY


def test_user_of_a_saml_provider_gets_in_through_its_group(world: World) -> None:
    """Real from end to end as well: request, login page and signed assertion are the SAML provider's."""
    person = {"username": "alice", "password": PERMANENT}

    tokens = world.people.web.sign_in(person, "openid", identity_provider=COMPANY)

    flow = "SAML federation: code with PKCE"
    assert claims_of(tokens["access_token"])["cognito:groups"] == [f"{world.people.pool_id}_{COMPANY}"]
    assert claims_of(tokens["id_token"])["identities"][0]["providerType"] == "SAML"
    assert world.put_down("Cognito", flow, "browser", "access", tokens["access_token"]) == READING
    assert world.put_down("Cognito", flow, "browser", "id", tokens["id_token"]) == IDENTITY
