"""The naive server for comparison: `grpc.aio`, and `jwt.decode` on every request.

It does the same as authz does for one issuer and one policy, with the libraries' own means and nothing clumsy: keys are
read once, the response is built with the generated messages, the event loop is never blocked on I/O.
`python -m bench.baseline_aio ADDRESS JWKS_FILE`
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import grpc
import jwt

from authz.server.methods import CHECK_METHOD
from authz.server.pb import ext_authz_pb2 as pb
from bench.pool import CLIENT, ISSUER

POLICIES: dict[str, set[str]] = {"orders-read": {"orders/read", "orders/admin"}, "orders-write": {"orders/write"}}


class Authorizer:
    def __init__(self, jwks: dict[str, Any]) -> None:
        self._keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(jwks).keys}

    async def check(self, request: pb.CheckRequest, _context: grpc.aio.ServicerContext[Any, Any]) -> pb.CheckResponse:
        http = request.attributes.request.http
        scheme, _, token = http.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return denied(401, "token_missing")
        try:
            claims = self._verify(token)
        except jwt.PyJWTError:
            return denied(401, "invalid_token")
        accepted = POLICIES.get(request.attributes.context_extensions.get("policy", ""), set())
        if accepted.isdisjoint(claims["scope"].split(" ")):
            return denied(403, "insufficient_scope")
        return allowed(claims)

    def _verify(self, token: str) -> dict[str, Any]:
        key = self._keys.get(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise jwt.InvalidKeyError("unknown kid")
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            issuer=ISSUER,
            leeway=10,
            options={"require": ["exp", "iss", "sub", "scope"], "verify_aud": False},
        )
        if claims.get("token_use") != "access" or claims.get("client_id") != CLIENT:
            raise jwt.InvalidTokenError("not for us")
        return claims


def allowed(claims: dict[str, Any]) -> pb.CheckResponse:
    headers = {"x-auth-subject": claims["sub"], "x-auth-client": claims["client_id"], "x-auth-scopes": claims["scope"]}
    response = pb.CheckResponse(
        status=pb.Status(code=0),
        ok_response=pb.OkHttpResponse(
            headers=[
                pb.HeaderValueOption(
                    header=pb.HeaderValue(key=name, value=value),
                    append_action=pb.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
                )
                for name, value in headers.items()
            ],
        ),
    )
    response.dynamic_metadata.update({"subject": claims["sub"], "client": claims["client_id"]})
    return response


def denied(status: int, error: str) -> pb.CheckResponse:
    return pb.CheckResponse(
        status=pb.Status(code=16 if status == 401 else 7),
        denied_response=pb.DeniedHttpResponse(status=pb.HttpStatus(code=status), body=json.dumps({"error": error})),
    )


async def serve(address: str, jwks: dict[str, Any]) -> None:
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        Authorizer(jwks).check,
        request_deserializer=pb.CheckRequest.FromString,
        response_serializer=pb.CheckResponse.SerializeToString,
    )
    service, _, name = CHECK_METHOD.strip("/").partition("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
    server.add_insecure_port(address)
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(1)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))))
