#!/usr/bin/python3
"""Line coverage of the unit tests, by folder: coverage.py FOLDER (where `make coverage` built them)."""
import collections
import re
import subprocess
import sys
from pathlib import Path

_RESULT = re.compile(r"^File '(?P<file>[^']+)'\nLines executed:(?P<percent>[0-9.]+)% of (?P<lines>\d+)", re.MULTILINE)


def main() -> int:
    work = Path(sys.argv[1])
    files: dict[str, tuple[int, int]] = {}
    for data in sorted(work.rglob("*.gcda")):
        source = str(data.relative_to(work).with_suffix(".c"))
        if source.startswith("tests/"):
            continue
        out = subprocess.run(["gcov", "-n", "-o", str(data.parent), source], capture_output=True, text=True, check=True).stdout
        for found in _RESULT.finditer(out):
            if found["file"] == source:
                lines = int(found["lines"])
                files[source] = (round(lines * float(found["percent"]) / 100), lines)
    if not files:
        print("coverage.py: nothing was counted", file=sys.stderr)
        return 1
    folders: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    for file, (run, lines) in files.items():
        print(f"{file:40} {run:5} of {lines:5} lines  {100 * run / lines:5.1f} %")
        for folder in (Path(file).parts[0], str(Path(file).parent)):
            folders[folder][0] += run
            folders[folder][1] += lines
    print()
    for folder, (run, lines) in sorted(folders.items()):
        print(f"{folder + '/':40} {run:5} of {lines:5} lines  {100 * run / lines:5.1f} %")
    others = sorted(str(file) for top in {Path(file).parts[0] for file in files} for file in Path(top).rglob("*.c")
                    if str(file) not in files)
    print("\nnot in any unit test, so not counted:", " ".join(others))
    return 0


if __name__ == "__main__":
    sys.exit(main())
