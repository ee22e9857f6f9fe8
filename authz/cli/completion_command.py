"""`authz completion`: print a shell completion script generated from the argparse parser."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType

from authz import exit_codes
from authz.core.problems import ConfigurationError

_EXAMPLES = """\
examples:
  source <(authz completion bash)                                     in ~/.bashrc
  authz completion zsh > "${fpath[1]}/_authz"                         once, before compinit
  authz completion fish > ~/.config/fish/completions/authz.fish       once

exit codes: 0
"""

NAMED = MappingProxyType({("explain", "--policy"): "policies", ("access", "--who"): "issuers"})
"""Options whose values are names in the Envoy YAML of the same command line, and the kind of the names."""

_FILE_OPTION = "--envoy-config"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a command."""

    names: tuple[str, ...]
    help: str
    choices: tuple[str, ...]
    takes_value: bool
    takes_file: bool
    kind: str
    """The kind of names in the Envoy YAML that are its values. Empty if its values are others."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command with its options. The empty name is `authz` itself."""

    name: str
    help: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    """The allowed values of the argument. Empty if any text is allowed."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommand."""
    parser = commands.add_parser(
        "completion",
        help="print a shell completion script",
        description="Print a shell completion script: subcommands, options, values and files.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.add_argument(
        "--offer",
        nargs=argparse.REMAINDER,
        metavar="WORD",
        help="for the scripts: print the names that fit, `policies` or `issuers` and the words of the command line",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the script, or what it asks for."""
    if options.offer is not None:
        sys.stdout.write("".join(f"{name}\n" for name in offered(options.offer)))
        return exit_codes.OK
    from authz.cli.main import build  # noqa: PLC0415 - it imports this file

    commands = list(read(build()))
    sys.stdout.write({"bash": bash, "zsh": zsh, "fish": fish}[options.shell](commands))
    return exit_codes.OK


def offered(words: list[str]) -> list[str]:
    """The names of a kind, the first word, in the file that the other words name. None if no file can be read."""
    from authz.cli.input_files import settings_of  # noqa: PLC0415 - slow to import, not for --help

    file = _named_file(list(map(_unquoted, words[1:])))
    if file is None:
        return []
    try:
        configuration = settings_of(file).configuration
    except ConfigurationError:
        return []
    kinds = {
        "policies": list(configuration.policies),
        "issuers": [f"issuer={alias}" for alias in configuration.issuers.by_alias],
    }
    # Bash runs a `$(command)` in an offered word. A configuration with such a name is refused above.
    return kinds.get(words[0], []) if words else []


def _named_file(words: list[str]) -> str | None:
    """The value of --envoy-config, else the first word that is a file."""
    # Bash makes `=` a word of its own. Other shells leave `--envoy-config=FILE` whole.
    apart = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    apart = [part for part in apart if part not in {"", "="}]
    after = [value for option, value in pairwise(apart) if option == _FILE_OPTION]
    return next((word for word in (after or apart) if Path(word).is_file()), None)


def _unquoted(word: str) -> str:
    """The word as a program would get it: the shells pass it as it is typed."""
    try:
        return str(Path("".join(shlex.split(word))).expanduser()) if word else word
    except (ValueError, RuntimeError):
        return word


def read(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """List every command of the parser, the top-level command first."""
    yield _command("", "", parser)
    for action in parser._actions:  # noqa: SLF001 - argparse has no public way to ask what was declared
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            yield from (_command(name, helps.get(name, ""), each) for name, each in action.choices.items())


def _command(name: str, said: str, parser: argparse.ArgumentParser) -> Command:
    options: list[Option] = []
    words: list[str] = []
    for action in parser._actions:  # noqa: SLF001 - the same
        choices = tuple(map(str, action.choices or ()))
        if action.option_strings:
            takes_file = action.metavar == "FILE"
            takes_value = action.nargs != 0
            # Defaults, which argparse fills in later, are no use to a shell.
            text = (action.help or "").partition(" (default")[0].replace("%%", "%")
            kind = next((NAMED[name, each] for each in action.option_strings if (name, each) in NAMED), "")
            options.append(Option(tuple(action.option_strings), text, choices, takes_value, takes_file, kind))
        elif not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            words += choices
    return Command(name, said, tuple(options), tuple(words))


def bash(commands: list[Command]) -> str:
    """The bash script: options and values, else bash's own file completion."""
    values, words = [], []
    for command in commands:
        for option in command.options:
            if option.takes_value:
                names = "|".join(f"{command.name},{name}" for name in option.names)
                ask = (
                    f'$("${{COMP_WORDS[0]}}" completion bash --offer {option.kind} "${{COMP_WORDS[@]:1}}" 2>/dev/null)'
                )
                found = ask if option.kind else f"'{' '.join(option.choices)}'"
                values.append(f"    {names}) words={found}; only=1 ;;")
        first = [each.name for each in commands if each.name] if not command.name else list(command.words)
        offered = [*first, *(name for option in command.options for name in option.names)]
        words.append(f"      '{command.name}') words='{' '.join(offered)}' ;;")
    return f"""\
_authz_names() {{
  "${{COMP_WORDS[0]}}" completion bash --offer "$1" "${{COMP_WORDS[@]:1}}" 2>/dev/null
}}
_authz() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} command= word words= only=
  local at=$COMP_CWORD apart=
  # Readline makes = a word of its own.
  if [[ $cur == = ]]; then cur=; apart=1; elif [[ $prev == = ]]; then at=$((at-1)); apart=1; fi
  prev=${{COMP_WORDS[at-1]}}
  if [[ -n $apart && $prev == issuer ]]; then prev=${{COMP_WORDS[at-2]}}; else apart=; fi
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) command=$word; break ;; esac
  done
  case $command,$prev in
{chr(10).join(values)}
  esac
  if [[ -z $only ]]; then
    case $command in
{chr(10).join(words)}
    esac
    if [[ -n $command && $cur != -* && $words == -* ]]; then words=; fi
  fi
  if [[ -n $apart ]]; then words=${{words//issuer=/}}; fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o bashdefault -o default -F _authz authz
"""


def zsh(commands: list[Command]) -> str:
    """For zsh: a completion function for its `fpath`."""
    described = "\n".join(f"    {_zsh_text(f'{each.name}:{each.help}')}" for each in commands if each.name)
    cases = "\n".join(
        f"        {each.name}) _arguments {' '.join(_zsh_arguments(each))} ;;" for each in commands if each.name
    )
    top = " ".join(_zsh_options(commands[0]))
    return f"""\
#compdef authz
_authz() {{
  local context state state_descr line
  typeset -A opt_args
  local -a commands=(
{described}
  )
  _arguments -C {top} '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe -t commands 'authz command' commands ;;
    argument)
      case $words[1] in
{cases}
      esac ;;
  esac
}}
_authz_names() {{
  compadd -- ${{(f)"$(authz completion zsh --offer $1 "${{words[@]}}" 2>/dev/null)"}}
}}
if [[ $funcstack[1] == _authz ]]; then _authz "$@"; else compdef _authz authz; fi
"""


def _zsh_arguments(command: Command) -> Iterator[str]:
    yield from _zsh_options(command)
    yield f"'1:word:({' '.join(command.words)})'" if command.words else "'*:file:_files'"


def _zsh_options(command: Command) -> Iterator[str]:
    for option in command.options:
        said = option.help.replace("[", "(").replace("]", ")").replace(":", "\\:")
        value = ""
        if option.takes_value:
            candidates = f"({' '.join(option.choices)})" if option.choices else "_files" if option.takes_file else " "
            value = f":value: _authz_names {option.kind}" if option.kind else f":value:{candidates}"
        # With `=` the value may be the next word or follow in the same one.
        yield from (
            _zsh_text(f"{name}{'=' if value and name[:2] == '--' else ''}[{said}]{value}") for name in option.names
        )


def _zsh_text(text: str) -> str:
    quoted = text.replace("'", "'\\''")
    return f"'{quoted}'"


def fish(commands: list[Command]) -> str:
    """For fish: one line per command and option."""
    return "".join(f"{line}\n" for line in _fish(commands))


def _fish(commands: list[Command]) -> Iterator[str]:
    for command in commands:
        seen = f"'__fish_seen_subcommand_from {command.name}'" if command.name else "__fish_use_subcommand"
        if command.name:
            yield f"complete -c authz -f -n __fish_use_subcommand -a {command.name} -d {_fish_text(command.help)}"
        if command.words:
            yield f"complete -c authz -f -n {seen} -a {_fish_text(' '.join(command.words))}"
        for option in command.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            value = f" -x -a {_fish_text(' '.join(option.choices))}" if option.choices else ""
            if option.kind:
                ask = f"(authz completion fish --offer {option.kind} (commandline -po)[2..-1] 2>/dev/null)"
                value = f" -x -a {_fish_text(ask)}"
            value = value or (" -r -F" if option.takes_file else " -x" if option.takes_value else "")
            yield f"complete -c authz -n {seen} {names}{value} -d {_fish_text(option.help)}"


def _fish_text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{quoted}'"
