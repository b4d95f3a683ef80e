"""``python -m metaloss``: the ``metaloss`` command, for launchers that start a module."""

from metaloss.cli.main import main

if __name__ == "__main__":
    main()
