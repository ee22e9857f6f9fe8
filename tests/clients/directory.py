"""The user pools of these tests, as an operator sets them up at the emulator: two regions, every flow, a federation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from authz.tools.demo.client import HttpClient
from authz.tools.demo.provision import User
from tests.clients.pages import CALLBACK, Application

REGION, OTHER_REGION = "ap-northeast-1", "eu-west-1"
TEMPORARY, PERMANENT = "Temporary-1a", "Permanent-1a"
FEDERATION, COMPANY = "Campus", "Company"
"""The names that the pool gives to the providers whose users it takes: one speaks OpenID Connect, one SAML."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One user pool with its clients and users."""

    address: str
    region: str
    pool_id: str
    app_client_id: str
    """Programs that use the API; no secret."""
    web: Application
    batch: Application
    """Machines: client_credentials."""

    @property
    def newcomer(self) -> User:
        return User("bob", PERMANENT, ())

    @property
    def staff(self) -> User:
        return User("alice", PERMANENT, ("staff",))

    @property
    def reader(self) -> User:
        return User("carol", PERMANENT, ("order-readers",))

    def admin(self) -> Any:
        """The service's API with the operator's credentials."""
        return _connect(self.address, self.region)

    def invite(self, name: str) -> User:
        """A member of order-readers who has only a temporary password so far."""
        self.admin().admin_create_user(
            UserPoolId=self.pool_id, Username=name, TemporaryPassword=TEMPORARY, MessageAction="SUPPRESS"
        )
        self.admin().admin_add_user_to_group(UserPoolId=self.pool_id, Username=name, GroupName="order-readers")
        return User(name, TEMPORARY, ("order-readers",))


def set_up(address: str, region: str) -> Directory:
    """Make a pool with users alice (staff), bob (no group) and carol (order-readers)."""
    client = _connect(address, region)
    pool_id = client.create_user_pool(PoolName="orders")["UserPool"]["Id"]
    scopes = [{"ScopeName": name, "ScopeDescription": name} for name in ("read", "write")]
    client.create_resource_server(UserPoolId=pool_id, Identifier="orders", Name="Orders", Scopes=scopes)
    directory = Directory(
        address=address,
        region=region,
        pool_id=pool_id,
        app_client_id=_client(client, pool_id, "app", ExplicitAuthFlows=_FLOWS)["ClientId"],
        web=_application(address, _client(client, pool_id, "web", **_WEB)),
        batch=_application(address, _client(client, pool_id, "batch", **_BATCH)),
    )
    for group in ("staff", "order-readers"):
        client.create_group(UserPoolId=pool_id, GroupName=group)
    for user in (directory.staff, directory.newcomer, directory.reader):
        client.admin_create_user(UserPoolId=pool_id, Username=user.name, MessageAction="SUPPRESS")
        client.admin_set_user_password(UserPoolId=pool_id, Username=user.name, Password=user.password, Permanent=True)
        for group in user.groups:
            client.admin_add_user_to_group(UserPoolId=pool_id, Username=user.name, GroupName=group)
    return directory


def federate(directory: Directory, openid: str, saml: str) -> None:
    """Let the users of a SAML provider, and of an OpenID provider if there is one, sign in to the pool."""
    create = directory.admin().create_identity_provider
    mapping = {"username": "sub"}
    create(
        UserPoolId=directory.pool_id,
        ProviderName=COMPANY,
        ProviderType="SAML",
        ProviderDetails={"MetadataFile": HttpClient().ask("GET", f"{saml}/saml/metadata").body.decode()},
        AttributeMapping={},
    )
    if openid:
        create(
            UserPoolId=directory.pool_id,
            ProviderName=FEDERATION,
            ProviderType="OIDC",
            ProviderDetails={
                "client_id": "cognito",
                "client_secret": "cognito-secret-of-at-least-32-characters",
                "attributes_request_method": "GET",
                "oidc_issuer": openid,
                "authorize_scopes": "openid",
                "authorize_url": f"{openid}/auth",
                "token_url": f"{openid}/token",
                "attributes_url": f"{openid}/me",
                "jwks_uri": f"{openid}/jwks",
            },
            AttributeMapping=mapping,
        )


_FLOWS = [
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
]
_WEB = {
    "GenerateSecret": True,
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["code"],
    "AllowedOAuthScopes": ["openid", "email", "aws.cognito.signin.user.admin", "orders/read", "orders/write"],
    "CallbackURLs": [CALLBACK],
    "LogoutURLs": [CALLBACK],
    "SupportedIdentityProviders": ["COGNITO", FEDERATION, COMPANY],
}
_BATCH = {
    "GenerateSecret": True,
    "AllowedOAuthFlowsUserPoolClient": True,
    "AllowedOAuthFlows": ["client_credentials"],
    "AllowedOAuthScopes": ["orders/read"],
}


def _connect(address: str, region: str) -> Any:
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name=region)
    config = Config(proxies={}, connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 1})
    return session.client("cognito-idp", endpoint_url=address, config=config)


def _client(client: Any, pool_id: str, name: str, **fields: Any) -> dict[str, Any]:
    return dict(client.create_user_pool_client(UserPoolId=pool_id, ClientName=name, **fields)["UserPoolClient"])


def _application(address: str, client: dict[str, Any]) -> Application:
    return Application(
        f"{address}/oauth2/authorize", f"{address}/oauth2/token", client["ClientId"], client["ClientSecret"]
    )
