#!/usr/bin/python3
"""Turn `make -Bnk` output on standard input into compile_commands.json on standard output."""
import json
import os
import shlex
import sys


def entry(line: str) -> dict | None:
    """One compiled C or assembly file, or None for any other command."""
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if not words or not words[0].endswith("gcc") or "-c" not in words or "-o" not in words:
        return None
    return {"directory": os.getcwd(), "arguments": words, "file": words[words.index("-c") + 1],
            "output": words[words.index("-o") + 1]}


if __name__ == "__main__":
    json.dump([found for line in sys.stdin if (found := entry(line))], sys.stdout, indent=1)
    print()
