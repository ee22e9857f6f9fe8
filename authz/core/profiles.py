"""What is known of each kind of issuer: the shape of its name, where its keys are, which claims mean what.

Profiles are rows of data. Sources: the Amazon Cognito developer guide (user pool tokens), OpenID Connect Core and
Discovery 1.0, RFC 9068, and the OIDC pages of GitHub Actions, GitLab CI, CircleCI and Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
"""`typ` of an access token (RFC 9068 section 2.1), lower case."""

PLAIN_TOKEN_TYPES = frozenset({"", "jwt", "application/jwt"})
"""`typ` values that say nothing about the token's use (RFC 7519 section 5.1), lower case; empty where absent."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One row: what all issuers of a kind have in common."""

    name: str
    issuer: str = ""
    """The issuer where there is just one in the world; empty where the operator must name it."""
    jwks_path: str = ""
    """Where the JWKS is below the issuer; empty where OpenID Connect Discovery says it."""
    algorithms: frozenset[str] = frozenset({"RS256"})
    use_claim: str = ""
    """The claim that tells an access token from an ID token; empty where the profile does not know the notion."""
    groups_claim: str = ""
    client_claims: tuple[str, ...] = ()
    """Claims that name the client, the first that is present counts."""
    by_client: bool = False
    """Whether tokens are meant for clients (`client_ids`) rather than for audiences (`audiences`)."""


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "cognito",
                jwks_path="/.well-known/jwks.json",
                use_claim="token_use",
                groups_claim="cognito:groups",
                client_claims=("client_id", "aud"),
                by_client=True,
            ),
            Profile(
                "oidc",
                algorithms=frozenset({"RS256", "ES256"}),
                groups_claim="groups",
                client_claims=("client_id", "azp"),
            ),
            Profile(
                "github-actions",
                issuer="https://token.actions.githubusercontent.com",
                jwks_path="/.well-known/jwks",
                client_claims=("repository",),
            ),
            Profile("gitlab-ci", issuer="https://gitlab.com", client_claims=("project_path",)),
            Profile("circleci", client_claims=("oidc.circleci.com/project-id",)),
            Profile("kubernetes", jwks_path="/openid/v1/jwks", client_claims=("sub",)),
        )
    }
)

_USER_POOL_ID = re.compile(r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})_[0-9A-Za-z]{1,55}")


def cognito_issuers(user_pool_id: str) -> tuple[str, ...]:
    """Every form of `iss` that tokens of this user pool can carry, the region's own form first.

    A pool that is set to the updated issuer (needed for replication across regions) uses the second host.
    Raises ValueError where the pool id is not of the form `region_id`.
    """
    match = _USER_POOL_ID.fullmatch(user_pool_id)
    if match is None:
        raise ValueError(user_pool_id)
    region = match["region"]
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return tuple(f"https://{host}.{region}.{domain}/{user_pool_id}" for host in ("cognito-idp", "issuer-cognito-idp"))
