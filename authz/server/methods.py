"""Full names of the gRPC methods that a worker serves."""

from __future__ import annotations

CHECK_METHOD = "/envoy.service.auth.v3.Authorization/Check"
"""Envoy's external authorization: `envoy/service/auth/v3/external_auth.proto`."""

HEALTH_METHOD = "/grpc.health.v1.Health/Check"
"""The gRPC health checking protocol. Its streaming `Watch` is not served: Envoy's health checker only uses `Check`."""
