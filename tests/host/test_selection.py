"""Names on the command line of ./caisson test."""
import subprocess
import sys

import pytest
from caisson.selection import matches
from hosttool import ROOT


@pytest.mark.parametrize("name, test, chosen", [
    ("H1", "tests/system/test_boot.py::test_H1_no_extension", True),
    ("H1", "tests/system/test_boot.py::test_H10_base", False),
    ("H10", "tests/system/test_boot.py::test_H10", True),
    ("U-hello", "tests/system/test_apps.py::test_U_hello", True),
    ("gzip", "tests/host/test_config.py::test_bad_GZIP_files", True),
    ("gzip", "tests/host/test_config.py::test_other", False),
])
def test_matches(name, test, chosen):
    assert matches(name, test) is chosen


def test_tool_starts_without_debian_packages():
    """Set-up runs before any package is there: only the standard library may be imported at the start."""
    code = f"""
import sys
sys.path[:] = [{str(ROOT / 'tools')!r}] + [p for p in sys.path if 'packages' not in p]
from caisson import cli
raise SystemExit(cli.main(['--version']))"""
    result = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
