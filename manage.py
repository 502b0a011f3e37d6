#!/usr/bin/env python
"""Django's command line: `manage.py help` lists what Oven adds."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oven_site.settings")
    from django.core.management import execute_from_command_line

    from oven.environment import SettingsError

    try:
        execute_from_command_line(sys.argv)
    except SettingsError as problem:
        print(problem, file=sys.stderr)
        sys.exit(os.EX_CONFIG)


if __name__ == "__main__":
    main()
