#!/usr/bin/env python
"""Django's command line; beside a running `make run` every command uses its servers and keys."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from config.embedded import EmbeddedError

# these need no database; everything else is told where to get one
OFFLINE = {"", "help", "version", "--help", "-h", "--version", "check", "makemigrations", "collectstatic", "quickstart"}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        configured = settings.CONFIGURED
    except ImproperlyConfigured as error:
        sys.exit(f"error: {error}")
    except EmbeddedError as error:
        sys.exit(f"error: {error.message}\n{error.hint}".rstrip())
    if not configured and command not in OFFLINE and not {"--help", "-h"} & set(sys.argv):
        sys.exit(
            "error: nothing is running here, so there is no metadata database to use.\n"
            "Start the embedded servers with `make run` in another terminal, "
            "or set METADATA_DATABASE_URL and REDIS_URL."
        )
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
