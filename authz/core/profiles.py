"""The profiles, one per kind of issuer: form of the identifier, location of the keys, use of the claims.

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
"""`typ` values without a token use (RFC 7519 section 5.1), lower case. Empty if the header has none."""


@dataclass(frozen=True, slots=True)
class OwnerClaim:
    """A claim that identifies the owner of a workload. A condition on it excludes the workloads of all other owners."""

    claim: str
    """As in the configuration: a name, or a JSON Pointer."""
    immutable: bool = False
    """Whether the value can never belong to another owner. A name can: if an account is renamed, its name is free."""
    shape: re.Pattern[str] = re.compile(".+", re.DOTALL)
    """The form in which a value identifies the owner, if owners can configure the content of the claim."""


@dataclass(frozen=True, slots=True)
class InCluster:
    """The location of an API server's keys inside its cluster."""

    jwks_uri: str
    ca_file: str
    bearer_token_file: str


@dataclass(frozen=True, slots=True)
class Profile:
    """The common properties of all issuers of one kind."""

    name: str
    issuers: tuple[str, ...] = ()
    """The default identifiers, if the configuration contains none."""
    is_multi_tenant: bool = False
    """Whether strangers get tokens from these issuers, with an audience of their choice."""
    issuer_shape: re.Pattern[str] | None = None
    """The form of the identifier, if each customer has a separate issuer."""
    issuer_fix: str = ""
    issuer_templates: tuple[str, ...] = ()
    """The forms of the identifier, with `{tenantid}` for the tenant, if the configuration needs only `tenants`."""
    jwks_uri: str = ""
    """The URL of the JWKS, if it is the same for every issuer of the kind. Can contain `{tenantid}`."""
    jwks_path: str = ""
    """The path of the JWKS after the issuer. Empty if it comes from OpenID Connect Discovery."""
    in_cluster: InCluster | None = None
    """The location of the keys for issuers with a default identifier."""
    algorithms: frozenset[str] = frozenset({"RS256"})
    has_distinct_kids: bool = False
    """Whether every token names its key by `kid`, and every key has a `kid` of its own. Anything else is refused."""
    use_claim: str = ""
    """The claim that distinguishes access tokens from ID tokens. Empty if there is none."""
    scope_claims: tuple[str, ...] = ()
    """Claims that hold the scopes. The first present claim counts."""
    groups_claim: str = ""
    """The claim that holds the groups: a name, or a JSON Pointer. Empty if there is none."""
    groups_are_a_list: bool = False
    """Whether only a list of strings counts as groups."""
    client_claims: tuple[str, ...] = ()
    """Claims that name the client. The first present claim counts."""
    audience_is_client_id: bool = False
    """Whether the configuration lists `client_ids` instead of `audiences`."""
    typed_claims: tuple[str, ...] = ()
    """Claims that have the same type in every token of this kind. With another type, the whole token is refused."""
    is_workload: bool = False
    """Whether a job or pod holds the token. No authorization server granted its `scope` claim, if it has one, so the
    claim is ignored. Only the audience distinguishes it from tokens for other services."""
    required_claims: tuple[ClaimName, ...] = ()
    """String claims that every token of this kind has."""
    owner_claims: tuple[OwnerClaim, ...] = ()


_API_SERVER = InCluster(
    "https://kubernetes.default.svc/openid/v1/jwks",
    "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
)
"""The certificate contains `kubernetes.default.svc` in every cluster. The discovery document of the API server points
to an address in the node network instead."""


def _named(*claims: str) -> tuple[ClaimName, ...]:
    return tuple(map(ClaimName.parse, claims))


PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            Profile(
                "cognito",
                has_distinct_kids=True,
                typed_claims=("auth_time", "scope", "client_id"),
                jwks_path="/.well-known/jwks.json",
                use_claim="token_use",
                scope_claims=("scope",),
                groups_claim="cognito:groups",
                groups_are_a_list=True,
                client_claims=("client_id", "aud"),
                audience_is_client_id=True,
            ),
            Profile(
                "oidc",
                algorithms=frozenset({"RS256", "ES256"}),
                scope_claims=("scope", "scp"),
                groups_claim="groups",
                client_claims=("client_id", "azp", "cid", "appid"),
            ),
            # Microsoft identity platform, access token claims reference: v2.0 and v1.0 tokens.
            Profile(
                "entra",
                issuer_templates=(
                    "https://login.microsoftonline.com/{tenantid}/v2.0",
                    "https://sts.windows.net/{tenantid}/",
                ),
                jwks_uri="https://login.microsoftonline.com/common/discovery/v2.0/keys",
                scope_claims=("scp",),
                groups_claim="roles",
                client_claims=("azp", "appid"),
                required_claims=_named("tid"),
            ),
            # Okta, "API access management": tokens of custom authorization servers.
            Profile("okta", scope_claims=("scp",), groups_claim="groups", client_claims=("cid",)),
            # Auth0, "Access token profiles": `permissions` needs RBAC to be enabled for the API.
            Profile("auth0", scope_claims=("scope",), groups_claim="permissions", client_claims=("azp", "client_id")),
            # Keycloak, "Server administration": roles of the realm. Roles of a client are at
            # `/resource_access/CLIENT/roles`.
            Profile(
                "keycloak",
                algorithms=frozenset({"RS256", "ES256", "PS256"}),
                scope_claims=("scope",),
                groups_claim="/realm_access/roles",
                client_claims=("azp", "client_id"),
            ),
            # Google, "OpenID Connect": ID tokens, whose `aud` is the client. Both forms of `iss` are documented.
            Profile(
                "google",
                issuers=("https://accounts.google.com", "accounts.google.com"),
                jwks_uri="https://www.googleapis.com/oauth2/v3/certs",
                scope_claims=("scope",),
                client_claims=("azp",),
            ),
            # AD FS, "OpenID Connect/OAuth flows": the access token issuer is an http URL with the path
            # `/adfs/services/trust`, so the keys need `jwks_uri` (`https://HOST/adfs/discovery/keys`).
            Profile("adfs", scope_claims=("scp",), groups_claim="group", client_claims=("appid", "client_id")),
            # SPIFFE JWT-SVID: `sub` is the workload's SPIFFE ID.
            Profile(
                "spiffe",
                algorithms=frozenset({"RS256", "ES256", "ES384", "PS256"}),
                client_claims=("sub",),
                is_workload=True,
                required_claims=_named("sub"),
                owner_claims=(OwnerClaim("sub", immutable=True, shape=re.compile(r"spiffe://[^/]+/.+")),),
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
                    # Not `job_workflow_ref`: any repository may call a public workflow.
                    OwnerClaim("workflow_ref", shape=re.compile(r"[^/]+/[^/]+/.+")),
                    # The owner of a repository can configure `sub` to contain other claims, such as
                    # `environment:production`. Only a value that begins with the repository identifies the owner.
                    # `OWNER@ID/NAME@ID` is the form from July 2026 on, or earlier if the owner chose it.
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
                # For a merge request from a fork, these claims name the fork. Not `job_project_id`: it names the
                # project in which the job runs.
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
                # Treated as immutable: a user who can create namespaces is trusted with the cluster.
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

# From botocore's endpoints data: the pattern of Region names and the DNS suffix of each AWS partition.
_PARTITIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+"), "amazonaws.com"),
    (re.compile(r"us-gov-\w+-\d+"), "amazonaws.com"),
    (re.compile(r"cn-\w+-\d+"), "amazonaws.com.cn"),
    (re.compile(r"eusc-(de)-\w+-\d+"), "amazonaws.eu"),
)
_HOSTS = ("cognito-idp", "issuer-cognito-idp")


def cognito_issuers(user_pool_id: str, regions: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return every `iss` of this user pool's tokens, the form of the home Region first.

    A pool of the issuer type UPDATED uses a second host, and a replicated pool has both hosts in each of its further
    `regions`. China has only the first host. Raises ValueError with the reason if the pool id does not have the form
    `region_id`, or if the partition of a Region is not known: its domain would be a guess.
    """
    match = _USER_POOL_ID.fullmatch(user_pool_id)
    if match is None:
        raise ValueError(f"{user_pool_id!r:.80} is not a user pool id")
    return tuple(
        f"https://{host}.{region}.{suffix}/{user_pool_id}"
        for region in (match["region"], *regions)
        for suffix in (_suffix(region),)
        for host in (_HOSTS[:1] if suffix == "amazonaws.com.cn" else _HOSTS)
    )


def cognito_fallbacks(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hosts that publish the key set of a replicated pool beside the first, in the order to try them.

    The hosts of the issuer type UPDATED come first: they publish one key set in every Region.
    """
    return tuple(sorted(names[1:], key=lambda name: not name.startswith(f"https://{_HOSTS[1]}.")))


def _suffix(region: str) -> str:
    for pattern, suffix in _PARTITIONS:
        if pattern.fullmatch(region):
            return suffix
    raise ValueError(f"the AWS partition of the Region {region!r:.40} is not known")
