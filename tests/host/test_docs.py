"""D2: the names and files that docs/ speaks of are in the tree."""
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from hosttool import ROOT

DOCS = sorted((ROOT / "docs").glob("*.md"))
# Where each name stands with its file: `name()` (`file`), or `name()` in `file`.
WALKS = ["boot.md", "vm-start.md"]
OURS = ("arch", "core", "drivers", "fs", "vmm", "process", "shell", "apps", "include", "configs", "tools", "guests", "tests", "docs")
CODE = re.compile(r"`([^`\n]+)`")
DEFINITION = re.compile(r"^(?![ \t#/*]|return\b|else\b)[^;{}()\n]*?\b(\w+)\([^;{}]*\)[^;{}()]*\{|^#define (\w+)\(|^(\w+):", re.MULTILINE)


@cache
def tracked() -> list[str]:
    return subprocess.run(["git", "-C", ROOT, "ls-files"], capture_output=True, check=True, text=True,
                          stdin=subprocess.DEVNULL).stdout.splitlines()


@cache
def definitions(file: str) -> set[str]:
    """The functions, function-like macros and labels that a file of C or assembly defines."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", (ROOT / file).read_text(), flags=re.DOTALL)
    return {name for match in DEFINITION.findall(text) for name in match if name}


@cache
def all_definitions() -> set[str]:
    return set().union(*(definitions(file) for file in tracked() if file.endswith((".c", ".S", ".h"))))


def prose(doc: Path) -> str:
    """Without the blocks of examples."""
    return re.sub(r"^```[^`]*^```|^    [^ ].*$", "", doc.read_text(), flags=re.MULTILINE)


def functions(text: str) -> list[str]:
    return [match[1] for code in CODE.findall(text) if (match := re.fullmatch(r"([a-z_]\w*)\(\)", code))]


def paths(text: str) -> list[str]:
    found = [code for code in CODE.findall(text) if re.fullmatch(r"[\w./-]+", code)]
    return [code for code in found if code.split("/")[0] in OURS and "/" in code] + re.findall(r"\]\((?!http)([\w./-]+)\)", text)


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_D2_functions_are_defined(doc):
    missing = [name for name in functions(prose(doc)) if name not in all_definitions()]
    assert not missing


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.name)
def test_D2_files_exist(doc):
    missing = [path for path in paths(prose(doc)) if not (ROOT / path).exists() and not (ROOT / "docs" / path).exists()
               and "NAME" not in path]
    assert not missing


@pytest.mark.parametrize("name", WALKS)
def test_D2_functions_of_the_walk_throughs_are_where_they_are_said_to_be(name):
    text = " ".join(prose(ROOT / "docs" / name).split())
    places = re.findall(r"`(\w+)(?:\(\))?`,? (?:\(|in |\w+\(\)`,? )?`([\w./-]+/[\w.-]+)`", text)
    assert len(places) > 15
    wrong = [(function, file) for function, file in places if (ROOT / file).suffix in (".c", ".S", ".h")
             and function not in definitions(file)]
    assert not wrong


@pytest.mark.parametrize("name", WALKS)
def test_D2_walk_throughs_name_a_file_for_each_function(name):
    """At least once per page."""
    text = " ".join(prose(ROOT / "docs" / name).split())
    files = {file for file in re.findall(r"`([\w./-]+\.[cS])`", text)}
    here = set().union(*(definitions(file) for file in files))
    assert not [function for function in functions(text) if function not in here]


@pytest.mark.parametrize("name", [*WALKS, "architecture.md", "components.md"])
def test_D2_other_names_are_in_the_code(name):
    source = "".join((ROOT / file).read_text() for file in tracked()
                     if file.endswith((".c", ".S", ".h", ".ld", "Kconfig")) and not file.startswith("tests/"))
    words = set(re.findall(r"\w+", source))
    named = {code for code in CODE.findall(prose(ROOT / "docs" / name)) if re.fullmatch(r"\w*_\w*", code)}
    assert named and not named - words


def test_D2_switches_of_the_components_page_exist():
    kconfigs = "".join((ROOT / file).read_text() for file in tracked() if Path(file).name == "Kconfig")
    known = set(re.findall(r"^config (\w+)$", kconfigs, re.MULTILINE))
    tables = re.findall(r"^\|.*$", (ROOT / "docs" / "components.md").read_text(), re.MULTILINE)
    named = {code for line in tables for code in CODE.findall(line) if re.fullmatch(r"[A-Z][A-Z0-9_]+", code)}
    assert len(named) > 20 and named <= known
    described = {"MAX_HARTS", "APP", "LOG_DEFAULT_LEVEL", "LOG_MAX_LEVEL", "SERIAL_LINE", "HEAP_LIBRARY_BLOCK_KIB", "VERSION",
                 "LINEAR_BASE", "KSTACK_BASE", "IO_BASE", "IMAGE_BASE", "DEBUG"}  # numbers and helpers
    assert not {name for name in known if name.startswith(("DRIVER_", "SCHED_", "DEBUG_"))} - named - described


def test_D2_the_log_of_a_boot_has_the_steps_of_the_page():
    """Every step of docs/boot.md's table that logs a line still has that line in boot.c or where it says."""
    source = "".join((ROOT / file).read_text() for file in ("core/init/boot.c", "core/smp/power.c"))
    for step in ("allocator: ", "memory management: ", "platform: ", "scheduler: ", "interrupts and timer: ",
                 "secondary harts: ", "initrd: ", "constructors: ", '"main"', "exit: "):
        assert step in source


def test_the_check_finds_what_is_wrong():
    assert len(functions(prose(ROOT / "docs" / "components.md"))) > 30
    assert "vms_supervise" in functions(prose(ROOT / "docs" / "vm-start.md"))
    assert functions("`no_such_function()` and `dt_init()`") == ["no_such_function", "dt_init"]
    assert "dt_init" in all_definitions() and "no_such_function" not in all_definitions()
    assert "dt_init" not in definitions("include/caisson/dt.h")  # declared there, not defined
    assert "boot_entry" in definitions("core/init/boot.c") and "console_write" not in definitions("core/init/boot.c")
    assert "_start" in definitions("arch/riscv64/start.S")
