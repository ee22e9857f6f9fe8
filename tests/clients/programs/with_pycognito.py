"""Signs in with pycognito (SRP) as standard input says, and prints the tokens as JSON."""

from __future__ import annotations

import json
import sys

from pycognito import Cognito
from pycognito.exceptions import ForceChangePasswordException

asked = json.load(sys.stdin)
user = Cognito(asked["pool"], asked["client"], username=asked["user"])
try:
    user.authenticate(password=asked["password"])
except ForceChangePasswordException:
    user.new_password_challenge(asked["password"], asked["new_password"])
if asked["flow"] == "REFRESH_TOKEN_AUTH":
    user.renew_access_token()
json.dump({"access": user.access_token, "id": user.id_token, "refresh": user.refresh_token}, sys.stdout)
