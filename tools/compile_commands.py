#!/usr/bin/python3
"""Turn the output of `make -Bnk` (standard input) into compile_commands.json (standard output)."""
import json
import os
import re
import sys


def main() -> int:
    entries = []
    for line in sys.stdin:
        match = re.search(r" -c (\S+\.[cS]) -o \S+", line)
        if match:
            entries.append({"directory": os.getcwd(), "file": match.group(1),
                            "command": line.strip().lstrip("@")})
    json.dump(entries, sys.stdout, indent=1)
    return 0 if entries else 1


if __name__ == "__main__":
    sys.exit(main())
