"""Parses command lines with the real azure-cli's argument parser. Runs none of them, and reaches nothing.

Standard input: a JSON list of lists of arguments. Ends with 1 and says which, if az would not take one.
"""

import json
import sys

from azure.cli.core import get_default_cli
from azure.cli.core.commands import AzCliCommandInvoker
from azure.cli.core.parser import AzCliCommandParser


def main():
    cli = get_default_cli()
    invoker = AzCliCommandInvoker(cli_ctx=cli, parser_cls=AzCliCommandParser,
                                  commands_loader_cls=cli.commands_loader_cls)
    cli.invocation = invoker
    failed = False
    lines = json.load(sys.stdin)
    for line in lines:
        invoker.commands_loader.load_command_table(line)
        loader = invoker.commands_loader
        command = next((" ".join(line[:n]) for n in range(len(line), 0, -1)
                        if " ".join(line[:n]) in loader.command_table), None)
        if command is None:
            print("az has no such command:", " ".join(line[:4]))
            failed = True
            continue
        loader.command_name = command
        loader.load_arguments(command)
        invoker.parser.cli_ctx = cli
        invoker.parser.load_command_table(loader)
        try:
            # What az reads from standard input and files before it parses stays as it is.
            invoker.parser.parse_args(line)
        except SystemExit:
            print("az does not take:", " ".join(line))
            failed = True
    if failed:
        sys.exit(1)
    print(len(lines), "command lines parsed")


main()
