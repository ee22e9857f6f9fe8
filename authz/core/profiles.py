"""What is known of each kind of issuer: the shape of its name, where its keys are, which claims mean what.

Profiles are rows of data. Sources: the Amazon Cognito developer guide (user pool tokens), OpenID Connect Core and
Discovery 1.0, RFC 9068, and the OIDC pages of GitHub Actions, GitLab CI, CircleCI and Kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from authz.core.claims import ClaimName

ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
"""`typ` of an access token (RFC 9068 section 2.1), lower case."""

PLAIN_TOKEN_TYPES = frozenset({"", "jwt", "application/jwt"})
"""`typ` values that say nothing about the token's use (RFC 7519 section 5.1), lower case; empty where absent."""


@dataclass(frozen=True, slots=True)
class OwnerClaim:
    """A claim that says whose workload it is, so that a condition on it keeps everybody else's out."""

    claim: str
    """As operators write it: a name, or a JSON Pointer."""
    immutable: bool = False
    """Whether the value can never pass to somebody else. Names can: an account is renamed, another takes the name."""
    shape: re.Pattern[str] = re.compile(".+", re.DOTALL)
    """What a value must look like to say whose it is, where owners can choose what the claim is made of."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """How the keys of an API server are read from inside its cluster."""

    jwks_uri: str
    ca_file: str
    bearer_token_file: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One row: what all issuers of a kind have in common."""

    name: str
    issuers: tuple[str, ...] = ()
    """The names that an issuer of this kind has where the operator writes none."""
    is_multi_tenant: bool = False
    """Whether strangers get tokens from the issuers of those names, with an audience of their own choice."""
    issuer_shape: re.Pattern[str] | None = None
    """What an issuer's name looks like, where each customer has one."""
    issuer_fix: str = ""
    jwks_path: str = ""
    """Where the JWKS is below the issuer; empty where OpenID Connect Discovery says it."""
    in_cluster: InCluster | None = None
    """Where the keys are if the issuer has one of the names above."""
    algorithms: frozenset[str] = frozenset({"RS256"})
    use_claim: str = ""
    """The claim that tells an access token from an ID token; empty where the profile does not know the notion."""
    groups_claim: str = ""
    client_claims: tuple[str, ...] = ()
    """Claims that name the client, the first that is present counts."""
    audience_is_client_id: bool = False
    """Whether tokens are meant for clients (`client_ids`) rather than for audiences (`audiences`)."""
    is_workload: bool = False
    """Whether a job or pod holds the token, not an application of a user: its `scope` claim, should it have one, was
    given by nobody, and an audience is all that keeps tokens for other services out."""
    required_claims: tuple[ClaimName, ...] = ()
    """Strings that every token of the kind carries."""
    owner_claims: tuple[OwnerClaim, ...] = ()


_API_SERVER = InCluster(
    "https://kubernetes.default.svc/openid/v1/jwks",
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
)
"""Its certificate names `kubernetes.default.svc` in every cluster. Its discovery document would send the keys' reader
to an address of the node network instead."""


def _named(*claims: str) -> tuple[ClaimName, ...]:
    return tuple(map(ClaimName.parse, claims))


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
                audience_is_client_id=True,
            ),
            Profile(
                "oidc",
                algorithms=frozenset({"RS256", "ES256"}),
                groups_claim="groups",
                client_claims=("client_id", "azp"),
            ),
            Profile(
                "github-actions",
                issuers=("https://token.actions.githubusercontent.com",),
                is_multi_tenant=True,
                jwks_path="/.well-known/jwks",
                client_claims=("repository",),
                is_workload=True,
                required_claims=_named("sub", "repository_id", "repository_owner_id"),
                owner_claims=(
                    OwnerClaim("repository_id", immutable=True),
                    OwnerClaim("repository_owner_id", immutable=True),
                    OwnerClaim("enterprise_id", immutable=True),
                    OwnerClaim("repository"),
                    OwnerClaim("repository_owner"),
                    OwnerClaim("enterprise"),
                    # Not `job_workflow_ref`: anybody's repository may call a public workflow.
                    OwnerClaim("workflow_ref", shape=re.compile(r"[^/]+/[^/]+/.+")),
                    # A repository's owner can have `sub` made of other claims, such as `environment:production`, so
                    # only a value that begins with the repository says whose it is. `OWNER@ID/NAME@ID` is the form
                    # that repositories have from July 2026 on, or when their owner asked for it.
                    OwnerClaim("sub", immutable=True, shape=re.compile(r"repo:[^/:@]+@[0-9]+/[^/:@]+@[0-9]+:.+")),
                    OwnerClaim("sub", immutable=True, shape=re.compile(r"repository(_owner)?_id:[0-9]+(:.+)?")),
                    OwnerClaim("sub", shape=re.compile(r"repo:[^/:]+/[^/:]+:.+")),
                    OwnerClaim("sub", shape=re.compile(r"repository(_owner)?:[^:]+(:.+)?")),
                ),
            ),
            Profile(
                "gitlab-ci",
                issuers=("https://gitlab.com",),
                is_multi_tenant=True,
                client_claims=("project_path",),
                is_workload=True,
                required_claims=_named("sub", "project_id", "namespace_id"),
                # Of a merge request from a fork these are the fork's. Not `job_project_id`: that is where it runs.
                owner_claims=(
                    OwnerClaim("project_id", immutable=True),
                    OwnerClaim("namespace_id", immutable=True),
                    OwnerClaim("project_path"),
                    OwnerClaim("namespace_path"),
                    OwnerClaim("sub", shape=re.compile(r"project_path:[^:]+/[^:]+(:.+)?")),
                ),
            ),
            Profile(
                "circleci",
                issuer_shape=re.compile(r"https://[^/]+/org/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
                issuer_fix='Write `issuer: "https://oidc.circleci.com/org/ORGANIZATION_ID"`, the id being a UUID.',
                client_claims=("oidc.circleci.com/project-id",),
                is_workload=True,
                required_claims=_named("sub", "oidc.circleci.com/project-id"),
                owner_claims=(
                    OwnerClaim("oidc.circleci.com/project-id", immutable=True),
                    OwnerClaim("sub", immutable=True, shape=re.compile(r"org/[^/]+/project/[^/]+/.+")),
                ),
            ),
            Profile(
                "kubernetes",
                issuers=("https://kubernetes.default.svc.cluster.local", "https://kubernetes.default.svc"),
                in_cluster=_API_SERVER,
                algorithms=frozenset({"RS256", "ES256"}),
                client_claims=("sub",),
                is_workload=True,
                required_claims=_named("sub", "/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name"),
                # Whoever may create a namespace of a given name is trusted with the cluster: the names last.
                owner_claims=(
                    OwnerClaim("/kubernetes.io/namespace", immutable=True),
                    OwnerClaim("/kubernetes.io/serviceaccount/uid", immutable=True),
                    OwnerClaim("sub", immutable=True, shape=re.compile(r"system:serviceaccount:[^:]+:[^:]+")),
                ),
            ),
        )
    }
)

_USER_POOL_ID = re.compile(r"(?P<region>[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2})_[0-9A-Za-z]{1,55}")


def cognito_issuers(user_pool_id: str) -> tuple[str, ...]:
    """Every form of `iss` that tokens of this user pool can carry, the region's own form first.

    A pool whose issuer type is UPDATED (needed for replication across regions) uses a second host. It is documented for
    the commercial and GovCloud regions' domain; the regions in China have a domain of their own.
    Raises ValueError where the pool id is not of the form `region_id`.
    """
    match = _USER_POOL_ID.fullmatch(user_pool_id)
    if match is None:
        raise ValueError(user_pool_id)
    region = match["region"]
    if region.startswith("cn-"):
        return (f"https://cognito-idp.{region}.amazonaws.com.cn/{user_pool_id}",)
    return tuple(
        f"https://{host}.{region}.amazonaws.com/{user_pool_id}" for host in ("cognito-idp", "issuer-cognito-idp")
    )
