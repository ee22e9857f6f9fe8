"""The trap of Cognito's user pools API is counted by itself: tokens that do not carry the scope a route wants."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from authz.core.configuration import compile_configuration
from authz.core.decision import Decision
from authz.core.policy import Policy
from authz.core.reasons import Denied, Reason
from authz.observe.exposition import Exposition, Reloads, Totals
from authz.observe.labels import possible_api_refusals
from authz.observe.tally import Tally
from tests.fakes.people import court, token
from tests.fakes.status import worker_status

_NAME = "authz_user_pools_api_scope_refusals_total"


def _decision(reason: Reason, text: str) -> Decision:
    identity = court().identity(text)
    return Decision(reason, policy=Policy("read"), identity=identity, issuer="people")


def _counted(*decisions: Decision) -> list[tuple[str, str, int]]:
    tally = Tally()
    for decision in decisions:
        tally.count(decision, 0.001)
    return list(tally.snapshot().api_refusals)


def test_api_token_refused_for_its_scope_is_counted() -> None:
    refused = _decision(Reason.SCOPE_INSUFFICIENT, token("guests"))

    assert _counted(refused, refused) == [("read", "people", 2)]


def test_other_refusals_and_other_tokens_are_not_counted() -> None:
    assert _counted(_decision(Reason.TOKEN_EXPIRED, token("guests"))) == []
    assert _counted(_decision(Reason.SCOPE_INSUFFICIENT, token("guests", scope="openid"))) == []
    assert _counted(Decision(Reason.SCOPE_INSUFFICIENT)) == []


def test_every_policy_with_scopes_has_its_counter_from_the_start() -> None:
    configuration = compile_configuration(
        {
            "issuers": {
                "people": {"profile": "cognito", "user_pool_id": "eu-west-1_AbC", "client_ids": "any"},
                "partner": {"profile": "oidc", "issuer": "https://idp.example.com", "audiences": ["x"]},
            },
            "policies": {
                "read": {"scopes": "orders/read"},
                "staff": {"groups": "staff"},
                "partner": {"issuers": ["partner"], "scopes": "orders/read"},
            },
        }
    )
    reloads = Reloads(api_refusals=tuple(possible_api_refusals(configuration)))
    registry = CollectorRegistry()
    registry.register(Exposition(Totals(), reloads))

    assert possible_api_refusals(configuration) == [("read", "people")]
    assert registry.get_sample_value(_NAME, {"policy": "read", "issuer": "people"}) == 0


def test_counts_of_workers_that_are_gone_stay() -> None:
    tally = Tally()
    tally.count(_decision(Reason.SCOPE_INSUFFICIENT, token("guests")), 0.001)
    status = worker_status(tally)
    exposition = Exposition(Totals(), Reloads())
    exposition.live[0] = status
    exposition.retire(0)
    exposition.live[0] = status
    registry = CollectorRegistry()
    registry.register(exposition)

    assert registry.get_sample_value(_NAME, {"policy": "read", "issuer": "people"}) == 2


def test_denied_keeps_what_it_quotes_out_of_the_clients_text() -> None:
    denied = court().denied(token("<script>"), "read")

    assert isinstance(denied, Denied)
    assert "<script>" in denied.detail
    assert "<script>" not in denied.text
