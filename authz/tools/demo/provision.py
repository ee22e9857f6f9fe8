"""The Cognito resources of the demo: a user pool with a login page, scopes, two app clients, groups and users.

The same calls work on the real service.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.literals import ExplicitAuthFlowsTypeType

REGION = "ap-northeast-1"
SCOPES = {"read": "See orders", "write": "Place orders"}


@dataclass(frozen=True, slots=True)
class User:
    """A person who can sign in."""

    name: str
    password: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pool:
    """A user pool that is ready to use. The users are one for each part of the tour."""

    pool_id: str
    web_client_id: str
    """The app client of the OAuth2 filter: hosted login, authorization code flow."""
    web_client_secret: str
    api_client_id: str
    """The app client of programs that sign in through the user pools API (InitiateAuth)."""
    staff: User
    """Signs in through the login page."""
    newcomer: User
    """In no group, so a token from the user pools API grants no scope."""
    reader: User
    """In the group to which the shipped configuration grants orders/read."""


def provision(address: str, home: str) -> Pool:
    """Set up a pool at the emulator for the application at `home`, `http://host:port` without a slash."""
    client = _connect(address)
    pool_id = client.create_user_pool(PoolName="orders")["UserPool"]["Id"]
    client.create_user_pool_domain(Domain="orders", UserPoolId=pool_id)
    client.create_resource_server(
        UserPoolId=pool_id,
        Identifier="orders",
        Name="Orders",
        Scopes=[{"ScopeName": name, "ScopeDescription": text} for name, text in SCOPES.items()],
    )
    web = client.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="web",
        GenerateSecret=True,
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthFlows=["code"],
        AllowedOAuthScopes=["openid", *(f"orders/{name}" for name in SCOPES)],
        CallbackURLs=[f"{home}/oauth2/callback"],
        LogoutURLs=[f"{home}/"],
        SupportedIdentityProviders=["COGNITO"],
    )["UserPoolClient"]
    flows: list[ExplicitAuthFlowsTypeType] = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
    api = client.create_user_pool_client(UserPoolId=pool_id, ClientName="api", ExplicitAuthFlows=flows)
    for group in ("staff", "order-readers"):
        client.create_group(GroupName=group, UserPoolId=pool_id)
    return Pool(
        pool_id=pool_id,
        web_client_id=web["ClientId"],
        web_client_secret=web["ClientSecret"],
        api_client_id=api["UserPoolClient"]["ClientId"],
        staff=_create_user(client, pool_id, "alice", ["staff"]),
        newcomer=_create_user(client, pool_id, "bob", []),
        reader=_create_user(client, pool_id, "carol", ["order-readers"]),
    )


def _connect(address: str) -> CognitoIdentityProviderClient:
    import boto3  # noqa: PLC0415 - part of the extra `demo`, and a third of a second to import
    from botocore.config import Config  # noqa: PLC0415

    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=REGION)  # noqa: S106
    config = Config(proxies={}, connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return session.client("cognito-idp", endpoint_url=address, config=config)


def _create_user(client: CognitoIdentityProviderClient, pool_id: str, name: str, groups: Iterable[str]) -> User:
    password = f"{secrets.token_hex(4)}-Aa1"
    client.admin_create_user(UserPoolId=pool_id, Username=name, MessageAction="SUPPRESS")
    client.admin_set_user_password(UserPoolId=pool_id, Username=name, Password=password, Permanent=True)
    for group in groups:
        client.admin_add_user_to_group(UserPoolId=pool_id, Username=name, GroupName=group)
    return User(name, password, tuple(groups))
