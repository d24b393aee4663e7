"""`python -m scenarios.generate`: regenerate the files of the bundled scenarios."""

from __future__ import annotations

import sys

from scenarios.generate.bundle import write_bundled


def main() -> None:
    """Write the files and print their paths."""
    for path in write_bundled():
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
