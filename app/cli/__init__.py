"""The command line: `perpstore`. Every command is one module here; what is heavy it imports when it is called."""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns its exit code: 1 for failures, 2 for usage, 130 for Ctrl-C."""
    try:
        from app.cli.commands import run

        return run(arguments)
    except KeyboardInterrupt:
        return 130
