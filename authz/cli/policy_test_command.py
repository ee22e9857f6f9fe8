"""`authz test`: run policy tests written as YAML, in this process or through the real Envoy."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from authz import exit_codes
from authz.cli.input_files import read_text, settings_of
from authz.core.problems import ConfigurationError
from authz.terminal import Style, patience

if TYPE_CHECKING:
    from authz.envoy.settings import Settings
    from authz.tools.policy_tests.coverage import Missing, Reached
    from authz.tools.policy_tests.run_suite import Run
    from authz.tools.policy_tests.suite import Suite

_EXAMPLES = """\
a file of tests:
  envoy_config: envoy.yaml                # beside this file; or --envoy-config
  tokens:
    reader: { claims: { scope: orders/read } }
  tests:
  - name: a reader may read orders
    request: GET https://orders.example.com/orders
    policy: orders-read
    token: reader
    expect: ok
  - name: nobody reads without a token
    policy: orders-read
    expect: { reason: token_missing, status: 401 }

examples:
  authz test policy_tests.yaml                  in milliseconds, with the policy that each test names
  authz test --envoy policy_tests.yaml          through Envoy with your own routes, upstreams replaced
  authz test --output junit *.yaml > junit.xml

Tokens are minted with throw-away keys that only the test run trusts. docs/testing.md has every field.

exit codes: 0 all passed, 1 a test failed or the coverage is too low, 2 an error in the input
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "test",
        help="run policy tests written as YAML",
        description="Run policy tests written as YAML: requests and their expected outcomes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a file of tests")
    parser.add_argument("--envoy-config", metavar="FILE", help="the Envoy YAML, if the tests do not name it")
    parser.add_argument("--envoy", action="store_true", help="send requests through the real Envoy with your routes")
    parser.add_argument(
        "--min-coverage",
        metavar="PERCENT",
        type=float,
        default=0.0,
        help="fail if fewer parts are reached: each policy once forwarded and once refused, with --envoy each route",
    )
    parser.add_argument("--output", choices=("text", "tap", "junit", "json"), default="text")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the tests. Return 0 if all passed, 1 if one failed, 2 if the input is invalid."""
    try:
        runs, missing = _run_all(options)
    except ConfigurationError as error:
        print(f"authz test: {error}", file=sys.stderr)
        return exit_codes.OPERATOR_ERROR
    from authz.tools.policy_tests.suite_report import REPORTS  # noqa: PLC0415 - not for --help

    sys.stdout.write(REPORTS[options.output](runs, missing, Style.of(sys.stdout)))
    failed = any(result.problems for each in runs for result in each.results)
    for config, each in missing.items():
        if each.percent < options.min_coverage:
            failed = True
            print(f"{config}: coverage {each.percent:.1f} % is below {options.min_coverage:g} %", file=sys.stderr)
    return exit_codes.FINDINGS if failed else exit_codes.OK


def _run_all(options: argparse.Namespace) -> tuple[list[Run], dict[str, Missing]]:
    """Run every file. Also return, for each Envoy YAML, the parts that no test covers."""
    from authz.tools.policy_tests.coverage import Reached  # noqa: PLC0415

    suites = [_suite(file) for file in options.files]
    configurations: dict[str, tuple[Settings, Reached]] = {}
    runs = []
    for suite in suites:
        config = options.envoy_config or _beside(suite)
        if config not in configurations:
            settings = settings_of(config)
            configurations[config] = settings, Reached(settings.configuration)
        with patience(f"running {suite.file}"):
            runs.append(_run_one(suite, config, *configurations[config], with_envoy=options.envoy))
    return runs, {config: reached.missing() for config, (_settings, reached) in configurations.items()}


def _suite(file: str) -> Suite:
    from authz.tools.policy_tests.suite import read_suite  # noqa: PLC0415

    try:
        return read_suite(read_text(file), file)
    except ConfigurationError as wrong:
        raise ConfigurationError.because(f"{file} cannot be run\n{wrong}") from wrong


def _beside(suite: Suite) -> str:
    if not suite.envoy_config:
        raise ConfigurationError.because(
            f"{suite.file} names no Envoy YAML: write `envoy_config: FILE` there, or say --envoy-config FILE"
        )
    return str(Path(suite.file).parent / suite.envoy_config)


def _run_one(suite: Suite, config: str, settings: Settings, reached: Reached, *, with_envoy: bool) -> Run:
    from authz.tools.policy_tests.run_suite import run as run_suite  # noqa: PLC0415
    from authz.tools.processes.machine import CannotRunError  # noqa: PLC0415

    try:
        return run_suite(suite, settings, config, reached, with_envoy=with_envoy)
    except (CannotRunError, ConfigurationError) as error:
        hint = "\nWithout --envoy, each test runs against the policy that it names." if with_envoy else ""
        raise ConfigurationError.because(f"{suite.file} cannot be run\n{error}{hint}") from error
