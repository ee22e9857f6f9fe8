"""Branches of the rules that the examples do not cover: valid files, and findings in another form."""

from __future__ import annotations

import pytest

from authz.tools.lint.examine import examine
from authz.tools.lint.rule import Severity, rule
from tests.lint.cases import CLEAN, LOGIN, REST, changed, codes, line_of, places, route, routes

_GET = 'headers: [{ name: ":method", string_match: { exact: GET } }]'
_ONE_POLICY = (("        orders-write: { scopes: [orders/write] }\n", ""),)
_AUTHZ = "envoy.filters.http.ext_authz:\n"


def test_a_policy_is_merged_over_weighted_clusters_key_by_key() -> None:
    weighted = """\
route:
                  weighted_clusters:
                    clusters:
                    - { name: app, weight: 50 }
                    - name: app
                      weight: 50
                      typed_per_filter_config:
                        envoy.filters.http.ext_authz:
                          "@type": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute
                          check_settings: { context_extensions: { policy: EXTRA } }"""
    one = route("{ path_separated_prefix: /orders }", "orders-read", weighted.replace("EXTRA", "orders-write"))

    assert codes(routes(one, REST)) == []
    assert codes(routes(one.replace("policy: orders-write", "policy: no-such"), REST, also=_ONE_POLICY)) == ["AUTHZ102"]


def test_a_policy_for_the_whole_route_table_is_inherited_by_every_host() -> None:
    override = CLEAN[CLEAN.index("              typed_per_filter_config:") : CLEAN.index("              routes:")]
    on_table = "".join(f"{line[2:]}\n" for line in override.splitlines())

    text = changed((override, ""), ("            virtual_hosts:\n", f"{on_table}            virtual_hosts:\n"))

    assert codes(text) == []


def test_a_check_switched_off_above_is_on_again_where_a_route_has_settings() -> None:
    text = changed(("check_settings: { context_extensions: { policy: deny } }", "disabled: true"))

    assert codes(text) == ["AUTHZ304", "AUTHZ405"]


def test_a_filter_config_that_disables_is_a_check_switched_off() -> None:
    wrapped = '"@type": type.googleapis.com/envoy.config.route.v3.FilterConfig\n                    disabled: true  # '
    start = CLEAN.index("policy: public")
    head, tail = CLEAN[: CLEAN.rindex('"@type"', 0, start)], CLEAN[CLEAN.rindex('"@type"', 0, start) :]

    assert codes(head + wrapped + tail.replace("check_settings", "# check_settings", 1)) == ["AUTHZ304"]


_DISABLED = (
    "          - name: envoy.filters.http.ext_authz\n",
    "          - name: envoy.filters.http.ext_authz\n            disabled: true\n",
)


def test_a_disabled_filter_that_the_virtual_host_switches_on_is_no_finding() -> None:
    assert codes(changed(_DISABLED)) == []


def test_a_route_that_does_not_switch_on_a_disabled_filter_is_a_way_around_it() -> None:
    override = CLEAN[CLEAN.index("              typed_per_filter_config:") : CLEAN.index("              routes:")]
    text = changed(_DISABLED, (override, ""))

    assert codes(text) == ["AUTHZ306"]
    assert places(text)[0].startswith(f"{line_of(text, 'match: { prefix: / }')}:")


def test_a_filter_enabled_for_every_request_is_no_finding() -> None:
    line = "              filter_enabled: { default_value: { numerator: 100, denominator: HUNDRED } }\n"

    assert codes(changed(("              failure_mode_allow", f"{line}              failure_mode_allow"))) == []


@pytest.mark.parametrize("key", ["Policy", "polciy", "policies", "polícy", "authz_policy", "route-policies"])
def test_many_misspellings_of_policy_are_named(key: str) -> None:
    assert codes(changed(("policy: public", f"{key}: public"))) == ["AUTHZ302"]


def test_other_context_extensions_are_nobodys_business() -> None:
    assert codes(changed(("policy: public", "policy: public, team: orders, policy_owner: orders"))) == []


def test_each_context_extension_without_a_policy_beside_it_is_noted_at_its_own_place() -> None:
    text = changed(("policy: public", "team: orders, tier: gold"))
    (line,) = (number for number, each in enumerate(text.splitlines(), 1) if "team: orders" in each)
    column = text.splitlines()[line - 1].index("team") + 1

    assert places(text) == [f"{line}:{column} AUTHZ307", f"{line}:{column + len('team: orders, ')} AUTHZ307"]


@pytest.mark.parametrize(
    ("written", "fix"),
    [
        ("/orders/", "Write `path_separated_prefix: /orders`."),
        ('"/orders//?a=b"', "Write `path_separated_prefix: /orders`."),
        ('"/orders#top"', "Write `path_separated_prefix: /orders`."),
        ("/", "Write `prefix: /`."),
        ('"?a"', "Write `prefix: /`."),
    ],
)
def test_a_path_that_envoy_refuses_is_reported_with_a_path_it_accepts(written: str, fix: str) -> None:
    text = routes(route(f"{{ path_separated_prefix: {written} }}", "orders-read"), REST, also=_ONE_POLICY)

    assert [(each.rule.code, each.fix) for each in examine(text, "f")] == [("AUTHZ406", fix)]


def test_a_misspelt_key_of_another_filter_is_dropped_too() -> None:
    other = (
        'envoy.filters.http.cors: { "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }'
    )

    assert codes(changed((_AUTHZ, f"{other}\n                {_AUTHZ}"))) == ["AUTHZ303"]


def test_routes_that_divide_a_path_by_method_are_no_finding() -> None:
    post = _GET.replace("GET", "POST")
    text = routes(
        route(f"{{ path_separated_prefix: /orders, {_GET} }}", "orders-read"),
        route(f"{{ path_separated_prefix: /orders, {post} }}", "orders-write"),
        REST,
    )

    assert codes(text) == []


def test_a_stronger_route_may_come_first() -> None:
    text = routes(
        route(f"{{ path_separated_prefix: /orders/secret, {_GET} }}", "orders-read"),
        route("{ path_separated_prefix: /orders }", "deny"),
        REST,
        also=_ONE_POLICY,
    )

    assert codes(text) == []


def test_two_equal_routes_leave_the_second_dead() -> None:
    text = routes(route("{ path: /a }", "orders-read"), route("{ path: /a }", "orders-write"), REST)

    assert codes(text) == ["AUTHZ401"]


def test_a_prefix_that_ends_with_a_slash_or_leads_to_deny_is_no_trap() -> None:
    text = routes(
        route("{ prefix: /orders/ }", "orders-read"), route("{ prefix: /old }", "deny"), REST, also=_ONE_POLICY
    )

    assert codes(text) == []


def test_a_public_rest_is_named_and_a_redirect_is_not() -> None:
    first = route("{ path_separated_prefix: /orders }", "orders-read")
    open_rest = route("{ prefix: / }", "public")

    assert codes(routes(first, open_rest, also=_ONE_POLICY)) == ["AUTHZ405"]
    redirected = route("{ prefix: / }", "public", "redirect: { https_redirect: true }")
    assert codes(routes(first, redirected, also=_ONE_POLICY)) == []


def test_a_rest_for_which_a_token_is_optional_is_weaker_than_one_that_needs_a_token() -> None:
    text = routes(
        route("{ path_separated_prefix: /orders }", "authenticated"),
        route("{ prefix: / }", '"{ optional: true }"'),
        also=(
            *_ONE_POLICY,
            ("        orders-read: { scopes: [orders/read] }\n", "        reader: { issuers: [partner] }\n"),
        ),
    )

    assert codes(text) == ["AUTHZ201", "AUTHZ405"]


def test_a_file_that_is_public_throughout_has_nothing_to_fall_past() -> None:
    policies = (CLEAN[CLEAN.index("      policies:") : CLEAN.index("\nstatic_resources")], "")

    assert codes(routes(route("{ prefix: / }", "public"), also=(policies,))) == []


@pytest.mark.parametrize(
    "patterns",
    [
        "[{ prefix: auth }]",
        "[{ exact: Authorization }]",
        "[{ suffix: ization }]",
        "[{ contains: horiz }]",
        '[{ safe_regex: { regex: ".*" } }]',
    ],
)
def test_authorization_may_be_allowed_in_any_form(patterns: str) -> None:
    old = "[{ exact: authorization }, { exact: content-type }, { exact: x-request-id }]"

    assert codes(changed((old, patterns))) == []


def test_authorization_that_is_held_back_is_named() -> None:
    refused = "              disallowed_headers: { patterns: [{ exact: authorization }] }\n"

    assert codes(changed(("              allowed_headers:", f"{refused}              allowed_headers:"))) == [
        "AUTHZ505"
    ]


def test_without_a_timeout_the_check_has_envoys_own_200_milliseconds() -> None:
    assert codes(changed(("                timeout: 1s\n", ""))) == ["AUTHZ507"]


def test_each_missing_part_of_path_normalisation_is_a_finding() -> None:
    text = changed(
        ("          normalize_path: true\n", ""),
        ("          merge_slashes: true\n", ""),
        ("REJECT_REQUEST", "UNESCAPE_AND_FORWARD"),
        ("            ignore_path_parameters_in_path_matching: true\n", ""),
    )

    assert codes(text) == ["AUTHZ601"] * 4


def test_headers_removed_early_by_their_exact_names_are_clean() -> None:
    names = ("x-auth-subject", "x-auth-issuer", "x-auth-client", "x-auth-scopes")
    removed = "\n".join(f"              - remove: {name}" for name in names)

    assert codes(changed(("              - remove_on_match: { key_matcher: { prefix: x-auth- } }", removed))) == []


def test_a_check_without_any_retry_policy_is_named() -> None:
    start, end = CLEAN.index("                retry_policy:"), CLEAN.index("              failure_mode_allow")

    assert codes(CLEAN[:start] + CLEAN[end:]) == ["AUTHZ506"]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("use_refresh_token: true", "use_refresh_token: false", "AUTHZ705"),
        (
            "                  cookie_names:",
            "                  cookie_domain: example.com\n                  cookie_names:",
            "AUTHZ706",
        ),
        ('{ prefix: "Bearer ", ignore_case: true }', "{ prefix: Bear, ignore_case: true }", "AUTHZ709"),
        ("oauth2_use_gcm_encryption: true", 'oauth2_use_gcm_encryption: "false"', "AUTHZ701"),
        ("amazoncognito.com/oauth2/authorize", "example.com/authorize", ""),
        (
            '- name: authorization\n                  string_match: { prefix: "Bearer ", ignore_case: true }',
            "- name: x-api-key\n                  present_match: true",
            "",
        ),
        ("oauth2_use_gcm_encryption: true", 'oauth2_use_gcm_encryption: "true"', ""),
        ("request_headers_to_remove: [cookie]", "request_headers_to_remove: [Cookie]", ""),
    ],
)
def test_the_login_in_other_forms(old: str, new: str, code: str) -> None:
    assert codes(changed((old, new), text=LOGIN)) == ([code] if code else [])


_API = """\
                allow_failed_matcher:
                - name: ":path"
                  string_match: { MATCHER }
"""
_FORWARD = "                forward_bearer_token"


@pytest.mark.parametrize(
    ("matcher", "match", "policy", "code"),
    [
        ("prefix: /orders", "{ path_separated_prefix: /shipments }", "authenticated", "AUTHZ710"),
        ("prefix: /orders", "{ path: /shipments }", "orders-read", "AUTHZ710"),
        ("prefix: /orders", "{ prefix: /ord/ }", "orders-read", "AUTHZ710"),
        ("prefix: /orders", "{ path: / }", "authenticated", ""),
        ("prefix: /orders", "{ path_separated_prefix: /shipments }", "public", ""),
        ("prefix: /orders", "{ path_separated_prefix: /shipments }", "deny", ""),
        ("prefix: /orders", "{ path_separated_prefix: /ORDERS }", "orders-read", "AUTHZ710"),
        ("prefix: /orders, ignore_case: true", "{ path_separated_prefix: /ORDERS }", "orders-read", ""),
        ("prefix: /", "{ path_separated_prefix: /shipments }", "orders-read", ""),
        ('safe_regex: { regex: "/(orders|shipments).*" }', "{ path_separated_prefix: /shipments }", "orders-read", ""),
        ("prefix: /elsewhere", "{ path_separated_prefix: /shipments }", "orders-read", ""),
    ],
)
def test_a_route_that_leads_programs_to_the_login_is_noted_where_others_do_not(
    matcher: str, match: str, policy: str, code: str
) -> None:
    login = (_FORWARD, f"{_API.replace('MATCHER', matcher)}{_FORWARD}")

    assert codes(changed(login, (REST, f"{route(match, policy)}{REST}"), text=LOGIN)) == ([code] if code else [])


def test_a_login_that_names_no_api_paths_or_does_not_run_on_the_route_is_no_note() -> None:
    api = (_FORWARD, f"{_API.replace('MATCHER', 'prefix: /orders')}{_FORWARD}")
    shipments = route("{ path_separated_prefix: /shipments }", "orders-read")
    off = '{ "@type": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true }'
    without_login = shipments.replace(_AUTHZ, f"envoy.filters.http.oauth2: {off}\n                  {_AUTHZ}")

    assert codes(changed((REST, f"{shipments}{REST}"), text=LOGIN)) == []
    assert codes(changed(api, (REST, f"{without_login}{REST}"), text=LOGIN)) == []


def test_a_path_that_gets_a_401_from_the_login_itself_is_no_note() -> None:
    api = _API.replace("MATCHER", "prefix: /orders")
    refused = _API.replace("allow_failed", "deny_redirect").replace("MATCHER", "prefix: /shipments")
    shipments = route("{ path_separated_prefix: /shipments }", "orders-read")

    assert codes(changed((_FORWARD, f"{api}{refused}{_FORWARD}"), (REST, f"{shipments}{REST}"), text=LOGIN)) == []


def test_a_header_that_a_route_adds_over_the_sidecars_is_named() -> None:
    added = "request_headers_to_add: [{ header: { key: X-Auth-Subject, value: root } }]"

    assert codes(
        changed(('              domains: ["*"]\n', f'              domains: ["*"]\n              {added}\n'))
    ) == ["AUTHZ604"]


def test_a_workload_policy_in_place_that_anybody_meets_is_named_where_it_stands() -> None:
    ci = '        ci: { profile: github-actions, audiences: ["https://orders.example.com"] }\n'
    trust = ("      policies:\n", f"{ci}      policies:\n")
    inline = '"{ issuers: [ci], claims: { ref: refs/heads/main } }"'
    text = routes(
        route("{ path: /deploy }", inline),
        REST,
        also=(
            trust,
            *_ONE_POLICY,
            ("        orders-read: { scopes: [orders/read] }\n", "        orders-read: { issuers: [partner] }\n"),
        ),
    )

    assert codes(text) == ["AUTHZ201", "AUTHZ203"]


def test_camel_case_is_read_as_snake_case() -> None:
    text = changed(
        ("clear_route_cache: false", "clearRouteCache: true"), ("typed_per_filter_config", "typedPerFilterConfig")
    )

    assert codes(text) == ["AUTHZ502"]


def test_what_serve_says_lint_says() -> None:
    text = changed(("profile: oidc", "profile: oicd"), ("{ cluster_name: authz }", "{ cluster_name: athz }"))

    found = [(each.rule.code, each.message) for each in examine(text, "f")]

    assert [code for code, _problem in found] == ["AUTHZ101", "AUTHZ101"]
    assert "oicd" in found[0][1]
    assert "athz" in found[1][1]


def test_a_code_cannot_be_given_twice() -> None:
    with pytest.raises(ValueError, match="AUTHZ101 is taken"):
        rule("AUTHZ101", Severity.INFO, "again")(lambda _subject: iter(()))


def test_a_grant_to_a_name_is_found_at_its_condition_and_one_to_an_id_is_not() -> None:
    grant = "{{ when: {{ claims: {claims} }}, scopes: [orders/write] }}"
    ci = f"        ci: {{{{ profile: {{profile}}, audiences: [o], grants: [{grant}] }}}}\n"
    partner = CLEAN[CLEAN.index("        partner:") : CLEAN.index("      policies:")]

    def found(profile: str, claims: str) -> list[str]:
        return codes(changed((partner, partner + ci.format(profile=profile, claims=claims))))

    assert found("github-actions", "{ repository: octo-org/orders }") == ["AUTHZ205"]
    assert found("gitlab-ci", '{ project_path: shop/orders, ref_protected: "true" }') == ["AUTHZ205"]
    assert found("github-actions", '{ repository_id: "4242" }') == []
    assert found("kubernetes", "{ sub: system:serviceaccount:shop:checkout }") == []
    assert found("gitlab-ci, issuer: https://ci.example.com", "{ project_path: shop/orders }") == []


@pytest.mark.parametrize(
    ("policy", "tenants", "expected"),
    [
        ("{ groups: [staff] }", "any", ["AUTHZ203"]),
        ("{ claims: { tid: { none_of: [a] } } }", "any", ["AUTHZ203"]),
        ("{ groups: [staff], claims: { /tid: a } }", "any", []),
        ("{ groups: [staff] }", "[a]", []),
        ("{ groups: [staff], issuers: [partner] }", "any", []),
        ("{ scopes: [orders/read] }", "any", []),
    ],
)
def test_conditions_that_the_administrator_of_any_tenant_can_meet_are_named(
    policy: str, tenants: str, expected: list[str]
) -> None:
    entra = f"        entra: {{ profile: entra, audiences: [o], tenants: {tenants} }}\n"
    text = changed(
        ("      policies:\n", f"{entra}      policies:\n"),
        ("orders-read: { scopes: [orders/read] }", f"orders-read: {policy}"),
    )

    assert codes(text) == expected
