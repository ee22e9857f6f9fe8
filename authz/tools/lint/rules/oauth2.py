"""The login: Envoy's OAuth2 filter in front of the check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from authz.envoy.fields import Fields
from authz.envoy.http_filters import OAUTH2, HttpFilter
from authz.tools.lint.envoy_config import ANY_TOKEN, DEMANDING, EnvoyConfig, LintRoute
from authz.tools.lint.match import Match
from authz.tools.lint.rule import Found, Severity, rule

_GCM = "envoy.reloadable_features.oauth2_use_gcm_encryption"
_CBC = "envoy.reloadable_features.oauth2_legacy_cbc_decrypt_compat"
_COOKIES = ("bearer_token", "refresh_token", "oauth_hmac", "oauth_expires", "oauth_nonce", "code_verifier")
_NOT_REDIRECTED = ("allow_failed_matcher", "pass_through_matcher", "deny_redirect_matcher")
"""Matchers of requests that are not redirected to the login."""
_COOKIES_OF_A_SITE = 180
"""The most cookies that Chromium and Firefox keep for one site."""


@rule("AUTHZ701", Severity.ERROR, "session cookies can be altered unnoticed")
def old_cipher(envoy: EnvoyConfig) -> Iterator[Found]:
    """If two runtime flags are not set, Envoy encrypts the tokens in the cookies with AES-CBC. An attacker can alter
    them without the key (CVE-2026-47775).
    """
    layers = [layer.get("static_layer") for layer in envoy.root.get("layered_runtime").each("layers")]
    flags = {key: value for layer in layers for key, value in layer.value.items()}
    if str(flags.get(_GCM)).lower() == "true" and str(flags.get(_CBC)).lower() == "false":
        return
    for _manager, item, _config in envoy.oauth2_filters:
        fix = f"Set {_GCM}: true and {_CBC}: false in layered_runtime."
        yield Found(item.fields.path, "session cookies are encrypted with AES-CBC, or accepted so", fix)


@rule("AUTHZ702", Severity.WARNING, "a login asks for no scopes")
def no_scopes(envoy: EnvoyConfig) -> Iterator[Found]:
    """If `auth_scopes` is missing, Envoy requests the scope `user`, which few providers support."""
    for _manager, _item, config in envoy.oauth2_filters:
        if not config.raw("auth_scopes"):
            yield Found(config.path, "auth_scopes is missing", "Write the scopes that the policies demand.")


@rule("AUTHZ703", Severity.WARNING, "the service gets the session's tokens")
def cookies_leak(envoy: EnvoyConfig) -> Iterator[Found]:
    """The filter decrypts the cookies on their way in, so the service receives the refresh token in plain text, and
    may log it or pass it on.
    """
    for manager, item, _config in envoy.oauth2_filters:
        if any(
            not route.answers_itself and not _drops_cookies(route.table, route.host, route.fields)
            for route in manager.routes
        ):
            fix = "Write `request_headers_to_remove: [cookie]` for the virtual host."
            yield Found(item.fields.path, "cookies with decrypted tokens are sent to the service", fix)


def _drops_cookies(*levels: Fields) -> bool:
    for level in levels:
        removed = level.raw("request_headers_to_remove")
        if isinstance(removed, list) and "cookie" in {str(name).lower() for name in removed}:
            return True
    return False


@rule("AUTHZ704", Severity.ERROR, "the login does not pass the token on")
def not_forwarded(envoy: EnvoyConfig) -> Iterator[Found]:
    """Without `forward_bearer_token` the token stays in the cookie, and the sidecar refuses every session as
    `token_missing`.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        if config and config.raw("forward_bearer_token") is not True:
            yield Found(config.path, "forward_bearer_token is off", "Write `forward_bearer_token: true`.")


@rule("AUTHZ705", Severity.WARNING, "how long a session can be renewed is left open")
def refresh_lifetime(envoy: EnvoyConfig) -> Iterator[Found]:
    """Refresh tokens that are no JWT (Cognito's are not) say nothing about their end: the cookie lives for a week,
    however long the token does. And `use_refresh_token: false` ends every session with its first access token.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        if config.raw("use_refresh_token") is False:
            problem = "a session ends with its first access token"
            yield Found(config.where("use_refresh_token"), problem, "Write `use_refresh_token: true`.")
        elif config and config.raw("default_refresh_token_expires_in") is None:
            fix = "Write default_refresh_token_expires_in, at most the provider's own validity."
            yield Found(config.path, "the refresh cookie lives for a week", fix)


@rule("AUTHZ706", Severity.WARNING, "session cookies can be set or read by a sibling host")
def cookie_scope(envoy: EnvoyConfig) -> Iterator[Found]:
    """A cookie whose name begins with `__Host-` belongs to one host, only over TLS; any other can be planted by a
    sibling host, and with `cookie_domain` the tokens are sent to all of them.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        credentials = config.get("credentials")
        names = credentials.get("cookie_names")
        if credentials.raw("cookie_domain"):
            problem = "every host of the domain gets the session's tokens"
            yield Found(credentials.where("cookie_domain"), problem, "Remove cookie_domain.")
        loose = [name for name in _COOKIES if not names.text(name).startswith("__Host-")]
        if loose and credentials:
            fix = "Write cookie_names with names that begin with `__Host-`."
            path = names.path if names else credentials.path
            yield Found(path, f"no `__Host-` name for {', '.join(loose)}", fix)


@rule("AUTHZ707", Severity.WARNING, "session cookies are sent with requests from other sites")
def same_site(envoy: EnvoyConfig) -> Iterator[Found]:
    """Without `same_site` each browser decides by its own default whether another site's form or script brings the
    session along.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        configs = config.get("cookie_configs")
        loose = [
            name for name in _COOKIES if configs.get(f"{name}_cookie_config").text("same_site") not in {"LAX", "STRICT"}
        ]
        if loose and config:
            path = configs.path if configs else config.path
            yield Found(
                path, f"no same_site for {', '.join(loose)}", "Write `same_site: LAX` for each of cookie_configs."
            )


@rule("AUTHZ708", Severity.ERROR, "signing out at Cognito does not work so")
def cognito_sign_out(envoy: EnvoyConfig) -> Iterator[Found]:
    """Cognito's logout takes `client_id` and `logout_uri`, not the parameters of OpenID Connect that Envoy sends to
    `end_session_endpoint`: the person gets an error page and stays signed in.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        if config.text("end_session_endpoint") and ".amazoncognito.com" in config.text("authorization_endpoint"):
            fix = "Remove it, and rewrite `location` on the sign-out route to Cognito's /logout."
            yield Found(config.where("end_session_endpoint"), "Cognito does not know this kind of logout", fix)


@rule("AUTHZ709", Severity.WARNING, "some clients with a token are sent to the login page")
def pass_through_case(envoy: EnvoyConfig) -> Iterator[Found]:
    """The scheme of a credential has no case (RFC 9110 section 11.1): `authorization: bearer …` must pass the login as
    well. And a prefix without the space matches schemes that only begin so.
    """
    for _manager, _item, config in envoy.oauth2_filters:
        for matcher in config.each("pass_through_matcher"):
            string = matcher.get("string_match")
            prefix = string.text("prefix") or matcher.text("prefix_match")
            if matcher.text("name").lower() == "authorization" and prefix:
                exact = prefix.lower() == "bearer "
                if not exact or string.raw("ignore_case") is not True:
                    fix = 'Write `string_match: { prefix: "Bearer ", ignore_case: true }`.'
                    yield Found(matcher.path, f"only {prefix!r:.40} passes the login, in this case", fix)


@rule("AUTHZ710", Severity.INFO, "a missing token is answered with the login page, and not with 401")
def login_for_programs(envoy: EnvoyConfig) -> Iterator[Found]:
    """If `allow_failed_matcher` names API paths, every other route redirects a client without a token to the login
    page. This is right for pages and wrong for API clients. An exact path that accepts any token counts as a page.
    """
    for manager, item, config in envoy.oauth2_filters:
        let_on, *more = (tuple(_paths(config, name)) for name in _NOT_REDIRECTED)
        asking = [each for each in manager.routes if _demands_a_token(each) and not _has_own_login(item, each)]
        example = next((route for route in asking if _covers(let_on, route)), None)
        if example is None:
            continue
        line, there = (envoy.document.locate(path).line for path in (example.fields.path, let_on[0].path))
        for route in asking:
            if not _is_a_page(route) and not _covers(chain(let_on, *more), route):
                problem = f"a missing token gets the login page here, and 401 on the route in line {line}"
                yield Found(
                    route.fields.path, problem, f"If programs call it, add its path to the list in line {there}."
                )


@rule("AUTHZ715", Severity.WARNING, "many cookies lock a person out over HTTP/2")
def many_cookies(envoy: EnvoyConfig) -> Iterator[Found]:
    """Over HTTP/2 each cookie is a header field of its own. By default Envoy resets the stream of a request with more
    than 100 fields, and the browser shows a network error. A browser keeps up to 180 cookies for a site, and a login
    that nobody finishes leaves two for ten minutes.
    """
    for manager in envoy.resources.managers:
        tls = manager.chain.fields.get("transport_socket", "typed_config", "common_tls_context")
        options = manager.fields.get("common_http_protocol_options")
        protocols, limit = tls.raw("alpn_protocols"), str(options.raw("max_headers_count"))
        enough = limit.isdecimal() and int(limit) >= _COOKIES_OF_A_SITE
        if isinstance(protocols, list) and "h2" in protocols and manager.filters_of(OAUTH2) and not enough:
            fix = "Write `common_http_protocol_options: { max_headers_count: 250 }`."
            problem = f"a request with {_COOKIES_OF_A_SITE} cookies has too many header fields"
            yield Found(options.path if options else manager.fields.path, problem, fix)


def _paths(config: Fields, name: str) -> Iterator[Fields]:
    """The matchers of a list that look at the path."""
    return (matcher for matcher in config.each(name) if matcher.text("name").lower() == ":path")


def _demands_a_token(route: LintRoute) -> bool:
    return route.strength in {ANY_TOKEN, DEMANDING} and not route.answers_itself


def _is_a_page(route: LintRoute) -> bool:
    return route.strength == ANY_TOKEN and route.match.path[0] == "path"


def _has_own_login(item: HttpFilter, route: LintRoute) -> bool:
    """Whether the route, its host or its table configures the login, for example with `disabled`."""
    levels = (route.table, route.host, route.fields)
    return any(level.get("typed_per_filter_config", item.name) for level in levels)


def _covers(matchers: Iterable[Fields], route: LintRoute) -> bool:
    return any(_may_cover(matcher, route.match) for matcher in matchers)


def _may_cover(matcher: Fields, match: Match) -> bool:
    """Whether a path matcher matches every path of a route. If unknown, it counts as a match."""
    string = matcher.get("string_match")
    for kind in ("prefix", "exact"):
        text = string.text(kind) or matcher.text(f"{kind}_match")
        if text and not matcher.raw("invert_match"):
            path = {{"prefix": "prefix", "exact": "path"}[kind]: text, "case_sensitive": not string.raw("ignore_case")}
            return Match(Fields(path, matcher.path)).covers_path_of(match)
    return True
