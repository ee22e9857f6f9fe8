"""What operators see: counters, log lines. Called once per check, at the end, and never asked for advice."""
