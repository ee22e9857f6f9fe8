"""Claims of CI jobs and pods in the shapes that their providers document, for tokens signed with local keys."""

from __future__ import annotations

import time
from typing import Any

GITHUB = "https://token.actions.githubusercontent.com"
GITLAB = "https://gitlab.com"
CIRCLECI_ORGANIZATION = "1f0c2a5e-6b9d-4c8e-9a51-0d6a1c6f2b3e"
CIRCLECI = f"https://oidc.circleci.com/org/{CIRCLECI_ORGANIZATION}"
KUBERNETES = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "https://orders.example.com"

SUB_BY_NAME = "repo:octo-org/orders:ref:refs/heads/main"
"""The form of GitHub's older repositories."""
SUB_BY_ID = "repo:octo-org@9919/orders@4242:ref:refs/heads/main"
"""The form of newer ones, and of those whose owner asked for it."""

CIRCLECI_PROJECT = "6d1f4a3b-2c5e-4f7a-8b9c-0a1b2c3d4e5f"


def _times(lifetime: int) -> dict[str, Any]:
    now = int(time.time())
    return {"iat": now, "nbf": now, "exp": now + lifetime}


def github(**changes: Any) -> dict[str, Any]:
    """A job on GitHub Actions."""
    return {
        "iss": GITHUB,
        "aud": AUDIENCE,
        "sub": SUB_BY_NAME,
        "jti": "7e1c5a52-26a9-4f4f-9b0f-0d0c0d1b6a9b",
        **_times(300),
        "repository": "octo-org/orders",
        "repository_id": "4242",
        "repository_owner": "octo-org",
        "repository_owner_id": "9919",
        "repository_visibility": "private",
        "actor": "octocat",
        "actor_id": "583231",
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "ref_protected": "true",
        "event_name": "push",
        "environment": "production",
        "workflow": "deploy",
        "workflow_ref": "octo-org/orders/.github/workflows/deploy.yml@refs/heads/main",
        "job_workflow_ref": "octo-org/orders/.github/workflows/deploy.yml@refs/heads/main",
        "runner_environment": "github-hosted",
        "run_id": "1658821493",
    } | changes


def gitlab(**changes: Any) -> dict[str, Any]:
    """A job on GitLab CI."""
    return {
        "iss": GITLAB,
        "aud": AUDIENCE,
        "sub": "project_path:shop/orders:ref_type:branch:ref:main",
        "jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b",
        **_times(3600),
        "namespace_id": "72",
        "namespace_path": "shop",
        "project_id": "20",
        "project_path": "shop/orders",
        "user_id": "1",
        "user_login": "sample-user",
        "pipeline_source": "push",
        "ref": "main",
        "ref_type": "branch",
        "ref_protected": "true",
        "environment": "production",
        "environment_protected": "true",
        "runner_id": 1,
        "runner_environment": "self-hosted",
    } | changes


def circleci(**changes: Any) -> dict[str, Any]:
    """A job on CircleCI; its audience is the organization."""
    return {
        "iss": CIRCLECI,
        "aud": CIRCLECI_ORGANIZATION,
        "sub": f"org/{CIRCLECI_ORGANIZATION}/project/{CIRCLECI_PROJECT}/user/0c6e5d4f-3b2a-4190-8f7e-6d5c4b3a2910",
        **_times(3600),
        "oidc.circleci.com/project-id": CIRCLECI_PROJECT,
        "oidc.circleci.com/context-ids": ["a74579f1-2e7d-451e-b009-5c082ad2729e"],
        "oidc.circleci.com/vcs-ref": "refs/heads/main",
        "oidc.circleci.com/vcs-origin": "github.com/octo-org/orders",
        "oidc.circleci.com/ssh-rerun": False,
    } | changes


def kubernetes(**changes: Any) -> dict[str, Any]:
    """A pod's projected service account token."""
    return {
        "iss": KUBERNETES,
        "aud": [AUDIENCE],
        "sub": "system:serviceaccount:shop:checkout",
        **_times(3600),
        "kubernetes.io": {
            "namespace": "shop",
            "node": {"name": "worker-1", "uid": "517eb86e-b863-451b-bf70-86cb61439a3a"},
            "pod": {"name": "checkout-0", "uid": "0d8b260e-ef0e-45fb-be8e-ff44f97722e8"},
            "serviceaccount": {"name": "checkout", "uid": "e6a8680e-d103-4cce-80ea-03acbbeacf7d"},
            "warnafter": int(time.time()) + 3000,
        },
    } | changes
