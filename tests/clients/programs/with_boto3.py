"""Signs in with boto3 as standard input says, and prints the tokens as JSON.

`flow` is the AuthFlow of InitiateAuth or AdminInitiateAuth. A user with a temporary password answers the challenge with
`new_password`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import boto3

asked = json.load(sys.stdin)
cognito: Any = boto3.client("cognito-idp")
app = {"ClientId": asked["client"]}
pool = app | {"UserPoolId": asked["pool"]}
password = {"USERNAME": asked["user"], "PASSWORD": asked["password"]}


def initiate(flow: str, parameters: dict[str, str]) -> dict[str, Any]:
    if flow.startswith("ADMIN_"):
        answer = cognito.admin_initiate_auth(**pool, AuthFlow=flow, AuthParameters=parameters)
    else:
        answer = cognito.initiate_auth(**app, AuthFlow=flow, AuthParameters=parameters)
    if answer.get("ChallengeName") != "NEW_PASSWORD_REQUIRED":
        return dict(answer["AuthenticationResult"])
    respond, who = (
        (cognito.admin_respond_to_auth_challenge, pool)
        if flow.startswith("ADMIN_")
        else (cognito.respond_to_auth_challenge, app)
    )
    responses = {"USERNAME": asked["user"], "NEW_PASSWORD": asked["new_password"]}
    challenge = {"ChallengeName": answer["ChallengeName"], "Session": answer["Session"]}
    return dict(respond(**who, **challenge, ChallengeResponses=responses)["AuthenticationResult"])


flow = asked["flow"]
if flow == "REFRESH_TOKEN_AUTH":
    first = initiate("USER_PASSWORD_AUTH", password)
    result = first | initiate(flow, {"REFRESH_TOKEN": first["RefreshToken"]})
else:
    result = initiate(flow, password)
json.dump({"access": result["AccessToken"], "id": result["IdToken"], "refresh": result["RefreshToken"]}, sys.stdout)
