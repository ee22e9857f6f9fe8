"""The exit codes of the `authz` command and of its worker processes."""

from __future__ import annotations

OK = 0

FINDINGS = 1
"""The command ran, and the result is negative: a lint finding, a failed test, a refused request."""

OPERATOR_ERROR = 2
"""The command line or a file is wrong. argparse uses 2 as well."""

CANNOT_LISTEN = 3
"""`serve` only: an address is in use or cannot be bound."""

NOT_STARTED = 71
"""EX_OSERR of sysexits.h: the operating system could not create a worker process."""

INTERRUPTED = 130
"""128 + SIGINT, as shells report Ctrl-C."""
