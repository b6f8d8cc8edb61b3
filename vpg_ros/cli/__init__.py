"""The ``vpg`` command: one module a subcommand, each with ``add_parser(subparsers)``."""
