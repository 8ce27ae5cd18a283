"""`skaud completion`: a script that lets a shell complete the command's words."""

import argparse
import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

from skaud.command.errors import ALL_FINE

SHELLS = ("bash", "zsh", "fish")

_BASH = """\
_skaud() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        words={subcommands}
    else
        case "${{COMP_WORDS[1]}} $before" in
{values}
        *)
            case "${{COMP_WORDS[1]}} $word" in
{options}
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -o bashdefault -F _skaud skaud
"""


class Option(NamedTuple):
    """Option of a subcommand: its names, what it takes, and what it is for."""

    names: list[str]
    choices: list[str]
    takes_value: bool
    help: str


def add_parser(subcommands: Any) -> None:
    """Add the subcommand."""
    parser = subcommands.add_parser(
        "completion",
        help="complete words in a shell",
        description="Print a script that lets a shell complete the words of skaud. In bash and zsh: "
        'eval "$(skaud completion bash)", or zsh, in the file that the shell reads when it starts; in fish: '
        "skaud completion fish > ~/.config/fish/completions/skaud.fish",
    )
    parser.add_argument("shell", choices=SHELLS, help="one of: %(choices)s")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the subcommand; return the exit status."""
    from skaud.command.program import make_parser

    parser = make_parser()
    if options.shell == "fish":
        print("\n".join(_fish(parser)))
    else:
        print("autoload -U +X bashcompinit && bashcompinit\n" * (options.shell == "zsh") + _bash(parser), end="")
    return ALL_FINE


def _bash(parser: argparse.ArgumentParser) -> str:
    values, options = [], []
    for subcommand, (_, offered) in _subcommands(parser).items():
        for option in offered:
            for name in option.names:
                if option.takes_value:
                    values.append(f"        {shlex.quote(f'{subcommand} {name}')}) words={_words(option.choices)} ;;")
        names = [name for option in offered for name in option.names]
        choices = [c for option in offered if not option.names for c in option.choices]
        options.append(f"            '{subcommand} -'*) words={_words(names)} ;;")
        options.append(f"            '{subcommand} '*) words={_words(choices)} ;;")
    return _BASH.format(
        subcommands=_words(list(_subcommands(parser))), values="\n".join(values), options="\n".join(options)
    )


def _fish(parser: argparse.ArgumentParser) -> Iterator[str]:
    for subcommand, (about, offered) in _subcommands(parser).items():
        yield f"complete -c skaud -n __fish_use_subcommand -f -a {subcommand} -d {_quoted(about)}"
        condition = f"-n '__fish_seen_subcommand_from {subcommand}'"
        for option in offered:
            words = "".join(f" -{'l' if n.startswith('--') else 's'} {n.lstrip('-')}" for n in option.names)
            words += " -r" * option.takes_value * bool(option.names)
            words += f" -f -a {_quoted(' '.join(option.choices))}" if option.choices else ""
            if words:
                yield f"complete -c skaud {condition}{words} -d {_quoted(option.help)}"


def _subcommands(parser: argparse.ArgumentParser) -> dict[str, tuple[str, list[Option]]]:
    """Help and options of every subcommand."""
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
    return {name: (helps.get(name, ""), [_option(a) for a in sub._actions]) for name, sub in action.choices.items()}


def _option(action: argparse.Action) -> Option:
    choices = list(map(str, action.choices or ()))
    if not choices and (listed := re.match(r"(?:one|some) of: ([^(]*)", action.help or "")):
        choices = listed[1].strip().split(", ")
    return Option(list(action.option_strings), choices, action.nargs != 0, (action.help or "").split(" (default")[0])


def _words(words: list[str]) -> str:
    return shlex.quote(" ".join(words))


def _quoted(text: str) -> str:
    """Text as fish takes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
