"""D2: editors get a compilation database."""
import json
import subprocess
import sys

from hosttool import ROOT


def test_D2_compile_commands():
    text = """mkdir -p build
echo "  CC      core/a.c"
riscv64-unknown-elf-gcc -Iinclude '-DX="y z"' -c core/a.c -o build/core/a.o
riscv64-unknown-elf-gcc -o build/caisson.elf build/core/a.o
"""
    result = subprocess.run([sys.executable, ROOT / "tools" / "compile_commands.py"], input=text, text=True,
                            capture_output=True, check=True)
    [entry] = json.loads(result.stdout)
    assert entry["file"] == "core/a.c"
    assert entry["output"] == "build/core/a.o"
    assert entry["arguments"][2] == '-DX="y z"'
