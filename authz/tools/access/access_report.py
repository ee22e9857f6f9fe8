"""Who can reach what in one file: for each region of requests its policy, every way in, and an example."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from authz.core.claims import ClaimName
from authz.core.conditions import Membership, Scalar
from authz.core.policy import Access, Policy
from authz.envoy.fields import Fields
from authz.tools.access.loaded_file import LoadedFile, doubt_about
from authz.tools.access.regions.parts import HOST, METHOD, PATH, TARGET
from authz.tools.access.regions.region import Region
from authz.tools.access.regions.route_checks import Kind
from authz.tools.access.relation import Example, Undecided, first_admitted, first_token
from authz.tools.access.ways_of_access import remarks_on, ways_of


@dataclass(frozen=True, slots=True)
class RegionAccess:
    """Who reaches the requests of one route."""

    region: Region
    policy: str
    ways: tuple[str, ...]
    example: Example | None
    """Credentials that are admitted. None if there are none."""
    remarks: tuple[str, ...] = ()
    undecided: str = ""


@dataclass(frozen=True, slots=True)
class Who:
    """A part of an identity: an issuer, and values of claims."""

    issuer: str = ""
    claims: tuple[tuple[str, str], ...] = ()


def parse_who(text: str) -> Who:
    """Parse `issuer=ALIAS CLAIM=VALUE ...`. Raises ValueError with a fix."""
    issuer, claims = "", []
    for word in text.split():
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise ValueError(f"{word!r:.60} is not NAME=VALUE: write `issuer=ALIAS CLAIM=VALUE`")
        if name == "issuer":
            issuer = value
        else:
            ClaimName.parse(name)
            claims.append((name, value))
    return Who(issuer, tuple(claims))


def report(
    loaded: LoadedFile, who: Who | None = None, request: tuple[str, str, str] | None = None
) -> list[RegionAccess]:
    """Every region, or those that `who` reaches, or those that a request (method, host, path) meets."""
    known: dict[int, RegionAccess] = {}
    found = []
    for region in loaded.regions:
        if request is not None and not _meets(region, request):
            continue
        policy = loaded.policy_of(region)
        if id(policy) not in known:
            known[id(policy)] = _access(loaded, region, policy, who)
        about = replace(known[id(policy)], region=region, policy=_name(region, policy))
        doubt = doubt_about(region)
        about = RegionAccess(region, about.policy, (), None, undecided=doubt) if doubt else about
        if who is None or about.example is not None or about.undecided:
            found.append(about)
    return found


def unreachable(loaded: LoadedFile) -> Iterator[str]:
    """The routes that no request reaches: routes above them take everything. Each as `FILE:LINE name`.

    Routes of a listener, connection manager or virtual host that is undecided as a whole are left out, and so are those
    of internal listeners: no request of a client is compared with them.
    """
    reached = {(region.route.file, region.route.line) for region in loaded.regions}
    document = loaded.resources.document

    def is_reached(fields: Fields) -> bool:
        place = document.locate(fields.path)
        return (place.file, place.line) in reached

    for listener in loaded.resources.listeners:
        for manager in () if listener.is_internal else listener.managers:
            for host in manager.table.hosts:
                # A part that is undecided as a whole is one region, with the line of that part.
                if not any(map(is_reached, (manager.chain.fields, manager.fields, host.fields))):
                    for route in host.routes:
                        if not is_reached(route.fields):
                            place = document.locate(route.fields.path)
                            yield f"{place.file}:{place.line} {route.fields.text('name')}".rstrip()


def _access(loaded: LoadedFile, region: Region, policy: Policy, who: Who | None) -> RegionAccess:
    configuration = loaded.configuration
    ways = tuple(ways_of(configuration, policy))
    try:
        if who is None or policy.access is not Access.TOKEN:
            example = first_admitted(configuration, policy)
        else:
            example = first_token(configuration, _only(loaded, policy, who))
    except Undecided as why:
        return RegionAccess(region, policy.name, ways, None, undecided=str(why))
    return RegionAccess(region, policy.name, ways, example, tuple(remarks_on(configuration, policy)))


def _only(loaded: LoadedFile, policy: Policy, who: Who) -> Policy:
    """The policy for tokens of this identity alone: each claim has exactly the given values."""
    claims = []
    for name in dict.fromkeys(name for name, _value in who.claims):
        given = frozenset(value for each, value in who.claims if each == name)
        others = _named_values(loaded, policy, name) - given
        claims.append((ClaimName.parse(name), Membership(all_of=given, none_of=others)))
    narrowed = replace(policy, conditions=replace(policy.conditions, claims=(*policy.conditions.claims, *claims)))
    if not who.issuer:
        return narrowed
    issuers = frozenset({who.issuer}) if policy.issuers is None else policy.issuers & {who.issuer}
    return replace(narrowed, issuers=issuers)


def _named_values(loaded: LoadedFile, policy: Policy, name: str) -> frozenset[Scalar]:
    """Every value of a claim that the policy or a grant names."""
    found: frozenset[Scalar] = frozenset()
    for issuer in loaded.configuration.issuers.by_alias.values():
        for conditions in (policy.conditions, *(grant.when for grant in issuer.grants)):
            named = [membership for claim, membership in conditions.claims if claim.text == name]
            if conditions.groups is not None and issuer.groups_claim is not None and issuer.groups_claim.text == name:
                named.append(conditions.groups)
            found = found.union(*(each.all_of | each.any_of | each.none_of for each in named))
    return found


def _meets(region: Region, request: tuple[str, str, str]) -> bool:
    method, host, path = request
    try:
        host = host or region.requests.example().host
    except ValueError:
        return True
    target = path
    path, _mark, query = path.partition("?")
    parameters = {f"?{name}": value for name, value in parse_qsl(query, keep_blank_values=True)}
    # Names of hosts are reversed in a set, so that all names under a domain have a common prefix.
    return {HOST: host.lower()[::-1], METHOD: method, PATH: path, TARGET: target, **parameters} in region.requests


def _name(region: Region, policy: Policy) -> str:
    return policy.name if region.attachment.kind is Kind.POLICY else region.attachment.kind.value
