"""`python -m scenarios.generate`: write the bundled scenarios anew."""

from __future__ import annotations

import sys

from scenarios.generate.bundle import write_bundled


def main() -> None:
    """Write the files and say which."""
    for path in write_bundled():
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
