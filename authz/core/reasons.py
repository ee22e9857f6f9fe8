"""The fixed table of reasons: why a request is forwarded or refused, with the response to the client.

Rows follow RFC 6750 section 3.1 and RFC 9470 section 3. The texts are fixed and never contain data of the request. The
order of the rows is the order of the checks, so that a bad token always has the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Outcome = Literal["allow", "deny", "error"]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: metric label, HTTP response, RFC 6750 error code, text for the client, text for the operator."""

    label: str
    outcome: Outcome
    http_status: int
    error: str
    """RFC 6750 `error` value. Empty if the challenge has none or there is no challenge."""
    text: str
    """The `error_description` for the client, in RFC 6750's character set, without quotes."""
    meaning: str
    """The explanation for the operator in docs/reasons.md and `authz reasons`."""


class Reason(Enum):
    """The reason of a decision. The label of its row is the name in metrics, logs and responses."""

    OK = Row("ok", "allow", 200, "", "", "The token is good and satisfies the policy.")
    PUBLIC = Row("public", "allow", 200, "", "", "The route's policy is `public`: no token was looked at.")
    ANONYMOUS = Row("anonymous", "allow", 200, "", "", "The policy is `optional` and the request carries no token.")

    OVERLOADED = Row(
        "overloaded",
        "error",
        503,
        "",
        "The authorization service is busy, try again shortly",
        "More calls were in flight than the bound. Add an endpoint to the ext_authz cluster.",
    )
    REQUEST_MALFORMED = Row(
        "request_malformed",
        "deny",
        400,
        "invalid_request",
        "The request must carry exactly one bearer token in one Authorization header",
        "The call has no HTTP attributes, two credentials, or a bearer credential that is not one b64token.",
    )
    POLICY_MISSING = Row(
        "policy_missing",
        "error",
        500,
        "",
        "This route has no authorization policy",
        "The route names no policy. Set `context_extensions: { policy: deny }` on the virtual host.",
    )
    POLICY_INVALID = Row(
        "policy_invalid",
        "error",
        500,
        "",
        "The authorization policy of this route is not valid",
        "The policy name is unknown, or the policy written in place has a mistake. The log line names it.",
    )
    DENIED = Row(
        "denied",
        "deny",
        403,
        "",
        "This route is closed",
        "The route's policy is `deny`.",
    )
    TOKEN_MISSING = Row(
        "token_missing",
        "deny",
        401,
        "",
        "A bearer token is required",
        "There is no Authorization header, or it has another scheme than Bearer.",
    )
    TOKEN_MALFORMED = Row(
        "token_malformed",
        "deny",
        401,
        "invalid_token",
        "The access token is not a well-formed signed JWT",
        "Size, segments, base64url, JSON, or the type of a header parameter or claim is wrong.",
    )
    ISSUER_UNKNOWN = Row(
        "issuer_unknown",
        "deny",
        401,
        "invalid_token",
        "The access token comes from an issuer that is not accepted here",
        "`iss` equals no configured issuer. The comparison is exact.",
    )
    ISSUER_NOT_ACCEPTED = Row(
        "issuer_not_accepted",
        "deny",
        401,
        "invalid_token",
        "The access token comes from an issuer that is not accepted on this route",
        "The issuer is configured, but the policy's `issuers` leaves it out.",
    )
    ALGORITHM_NOT_ALLOWED = Row(
        "algorithm_not_allowed",
        "deny",
        401,
        "invalid_token",
        "The access token is signed with an algorithm that is not accepted",
        "`alg` is not in the issuer's `algorithms`, or not the algorithm of the key that `kid` names.",
    )
    KEYS_UNAVAILABLE = Row(
        "keys_unavailable",
        "error",
        503,
        "",
        "The keys to verify this access token are not available yet, try again shortly",
        "There is no usable key set for the issuer: never fetched, or older than `max_stale`.",
    )
    KEY_UNKNOWN = Row(
        "key_unknown",
        "deny",
        401,
        "invalid_token",
        "The access token is signed with a key that is not known",
        "`kid` is not in a fresh enough key set of the issuer. Or there is no `kid`, and not exactly one key fits.",
    )
    SIGNATURE_INVALID = Row(
        "signature_invalid",
        "deny",
        401,
        "invalid_token",
        "The signature of the access token is not valid",
        "The signature does not verify with the issuer's key.",
    )
    TOKEN_BOUND = Row(
        "token_bound",
        "deny",
        401,
        "invalid_token",
        "The access token is bound to a key, and the proof of possession is not supported here",
        "The token has `cnf` (RFC 7800): without the proof, any holder could use it. See `ignore_confirmation`.",
    )
    TOKEN_EXPIRED = Row(
        "token_expired",
        "deny",
        401,
        "invalid_token",
        "The access token has expired",
        "The time is at or past `exp` plus the issuer's `leeway`.",
    )
    TOKEN_NOT_YET_VALID = Row(
        "token_not_yet_valid",
        "deny",
        401,
        "invalid_token",
        "The access token is not valid yet",
        "`nbf` or `iat` lies in the future beyond the issuer's `leeway`.",
    )
    TOKEN_USE_MISMATCH = Row(
        "token_use_mismatch",
        "deny",
        401,
        "invalid_token",
        "The token is of another kind than this route accepts",
        "An ID token where an access token is needed, the reverse, or any other `token_use` or `typ`.",
    )
    AUDIENCE_MISMATCH = Row(
        "audience_mismatch",
        "deny",
        401,
        "invalid_token",
        "The access token is meant for another audience",
        "`aud`, or Cognito's `client_id`, is not one of those configured for the issuer.",
    )
    REVOCATIONS_UNAVAILABLE = Row(
        "revocations_unavailable",
        "error",
        503,
        "",
        "Whether this access token has been revoked is not known yet, try again shortly",
        "`revocations_file` is configured, and this worker has not been able to read it since it started.",
    )
    USERINFO_UNAVAILABLE = Row(
        "userinfo_unavailable",
        "error",
        503,
        "",
        "The issuer of this access token could not be asked about it, try again shortly",
        "The policy has `userinfo`, and the issuer's endpoint gave no answer that can be used, or not in time.",
    )
    TOKEN_REVOKED = Row(
        "token_revoked",
        "deny",
        401,
        "invalid_token",
        "The access token has been revoked",
        "The token is on the revocation list, or the issuer's userinfo endpoint refused it.",
    )
    TOKEN_TOO_OLD = Row(
        "token_too_old",
        "deny",
        401,
        "insufficient_user_authentication",
        "A more recent sign-in is required",
        "More time than the policy's `max_age` has passed since `auth_time`, or since `iat`.",
    )
    ACR_INSUFFICIENT = Row(
        "acr_insufficient",
        "deny",
        401,
        "insufficient_user_authentication",
        "A stronger sign-in is required",
        "The token's `acr` is missing, or is not one of the policy's `acr` values.",
    )
    CLAIM_MISMATCH = Row(
        "claim_mismatch",
        "deny",
        403,
        "insufficient_scope",
        "The access token does not meet the conditions of this route",
        "A group or claim condition of the policy is not met.",
    )
    SCOPE_INSUFFICIENT = Row(
        "scope_insufficient",
        "deny",
        403,
        "insufficient_scope",
        "The access token does not carry the scope that this route requires",
        "The granted scopes do not satisfy the policy's `scopes`.",
    )
    INTERNAL_ERROR = Row(
        "internal_error",
        "error",
        500,
        "",
        "The authorization service failed to decide",
        "Something unforeseen was raised while deciding. The log has its traceback: please report it.",
    )

    def __init__(self, row: Row) -> None:
        self.row = row
        """The row of the table. Faster to read than `value`, which is a property."""


USER_POOLS_API_TEXT = (
    "This token comes from the Cognito user pools API (InitiateAuth) and carries no OAuth scopes: "
    "sign in through the hosted UI, or have the operator give the scope through a grant or the pool's token trigger"
)
"""The client's text of `scope_insufficient` for a token whose only scope is `aws.cognito.signin.user.admin`."""


class Denied(Exception):
    """A step refuses the request. `decide` catches it and returns the decision.

    `detail` goes to the operator's log only. It may quote parts of the token, always through `repr`.
    """

    def __init__(self, reason: Reason, detail: str = "", *, text: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.text = text or reason.row.text
