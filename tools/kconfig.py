#!/usr/bin/python3
"""Turn a defconfig into a make fragment and a C header: kconfig.py DEFCONFIG AUTO.CONF CONFIG.H"""
import sys

import kconfiglib


def main() -> int:
    defconfig, auto_conf, header = sys.argv[1:4]
    kconf = kconfiglib.Kconfig("Kconfig", warn_to_stderr=False)
    kconf.load_config(defconfig)
    for warning in kconf.warnings:
        print(f"{defconfig}: {warning}", file=sys.stderr)
    if kconf.warnings:
        return 1
    kconf.write_config(auto_conf, save_old=False)
    kconf.write_autoconf(header)
    return 0


if __name__ == "__main__":
    sys.exit(main())
