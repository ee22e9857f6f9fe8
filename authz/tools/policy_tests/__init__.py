"""Tests of policies: tokens minted with throw-away keys, held against the user's own configuration."""
