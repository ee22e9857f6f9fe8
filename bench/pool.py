"""The issuer that all measurements use: a Cognito user pool, and another provider for tokens that are cheap to sign."""

from __future__ import annotations

POOL = "ap-northeast-1_AbCdEfGhI"
ISSUER = f"https://cognito-idp.ap-northeast-1.amazonaws.com/{POOL}"
CLIENT = "5onexampleclientid"
KEY_ID = "qmPbJVU6tUwyXGGjsPlBCFTHjqFi0Xx8mMvVyaKv+So="

PARTNER = "https://idp.example.com/realms/partner"
AUDIENCE = "orders"
PARTNER_KEY_ID = "partner-1"
