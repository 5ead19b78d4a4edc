#!/usr/bin/python3
"""Turn a defconfig into a make fragment and a C header.

kconfig.py DEFCONFIG AUTO.CONF CONFIG.H [NAME=VALUE ...]: the assignments come on top of the defconfig.
"""
import os
import sys
import tempfile

import kconfiglib


def main() -> int:
    defconfig, auto_conf, header, *assignments = sys.argv[1:]
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    kconf.load_config(defconfig)
    if assignments:
        _load_assignments(kconf, assignments)
    problems = list(kconf.warnings) + [problem for line in assignments if (problem := _refused(kconf, line))]
    for problem in problems:
        print(f"{defconfig}: {problem}", file=sys.stderr)
    if problems:
        return 1
    kconf.write_config(auto_conf, save_old=False)
    kconf.write_autoconf(header)
    return 0


def _load_assignments(kconf, assignments: list[str]) -> None:
    kconf.warn_assign_override = kconf.warn_assign_redun = False
    with tempfile.NamedTemporaryFile("w", suffix=".config") as lines:
        for line in assignments:
            lines.write(f"CONFIG_{line}\n")
        lines.flush()
        kconf.load_config(lines.name, replace=False)


def _refused(kconf, line: str) -> str | None:
    """An assignment that other switches do not allow would be dropped without a word."""
    name, _, value = line.partition("=")
    symbol = kconf.syms.get(name)
    if symbol is None or not symbol.nodes:
        return f"{name}: no such switch"
    if symbol.str_value != value.strip('"'):
        return f"{name}={value} is not possible here: it is {symbol.str_value} because of other switches"
    return None


if __name__ == "__main__":
    sys.exit(main())
