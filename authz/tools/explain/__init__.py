"""Why one request is forwarded or refused: every step of a check with its value, its rule and its verdict."""
