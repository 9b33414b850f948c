"""Parses command lines with the real azure-cli's argument parser. Runs none of them, and reaches nothing.

Standard input: a JSON list of lists of arguments. Ends with 1 and says which, if az would not take one.
"""

import json
import sys

from azure.cli.core import get_default_cli
from azure.cli.core._help import AzCliHelp
from azure.cli.core.commands import AzCliCommandInvoker, events
from azure.cli.core.parser import AzCliCommandParser


def command_of(table, line):
    """The longest beginning of the line that is a command."""
    return next((" ".join(line[:n]) for n in range(len(line), 0, -1) if " ".join(line[:n]) in table), None)


def parse(line):
    """Whether az takes it, else why not."""
    cli = get_default_cli()
    invoker = AzCliCommandInvoker(cli_ctx=cli, parser_cls=AzCliCommandParser,
                                  commands_loader_cls=cli.commands_loader_cls, help_cls=AzCliHelp)
    cli.invocation = invoker
    loader = invoker.commands_loader
    loader.load_command_table(line)
    command = command_of(loader.command_table, line)
    if command is None:
        return "az has no such command"
    invoker.data["command_string"] = command
    loader.command_name = command
    loader.command_table = {command: loader.command_table[command]}
    # az adds --subscription and the like to commands between these.
    cli.raise_event(events.EVENT_INVOKER_PRE_LOAD_ARGUMENTS, commands_loader=loader)
    loader.load_arguments(command)
    cli.raise_event(events.EVENT_INVOKER_POST_LOAD_ARGUMENTS, commands_loader=loader)
    invoker.parser.load_command_table(loader)
    try:
        # What az would read from standard input before it parses stays as it is.
        invoker.parser.parse_args(line)
    except SystemExit:
        return "az does not take this"
    return None


def main():
    lines = json.load(sys.stdin)
    # Those that differ in their values only are parsed once.
    forms = {tuple(word for word in line if not word.startswith("/subscriptions/")): line for line in lines}
    complaints = [(parse(line), line) for line in forms.values()]
    for complaint, line in complaints:
        if complaint:
            print(complaint + ":", " ".join(line))
    if any(complaint for complaint, _ in complaints):
        sys.exit(1)
    print(len(lines), "command lines parsed")


main()
