"""Metrics, log lines and traces. Called once at the end of each check, and without effect on the decision."""
