"""`nounflow schema`: the schema of the config."""

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add `schema` to the parsers of `nounflow`."""
    schema = commands.add_parser("schema", help="print the JSON schema of config/config.yaml")
    schema.add_argument("--markdown", action="store_true", help="as the key tables of config/README.md instead")
    schema.set_defaults(call=_schema)


def _schema(arguments: argparse.Namespace) -> None:
    from nounflow.config.experiment import json_schema
    from nounflow.config.reference import key_tables

    print(key_tables() if arguments.markdown else json_schema(), end="")
