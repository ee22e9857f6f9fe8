"""Fetch or watch data outside of requests: key sets, userinfo, the revocation list."""
