"""Disks that fail: the guest whose disk it is gets an I/O error; the other VM, the machine and the guest itself go on."""
import re

import journal
import pytest
from machines import batch

from caisson.machine import qemu_program

LIMIT = 60  # records of the neighbour
TRY_SECTORS = 8


@pytest.fixture
def disks(tmp_path):
    """Two images: the one that will fail, and the neighbour's."""
    paths = tmp_path / "failing.img", tmp_path / "neighbour.img"
    for path in paths:
        path.write_bytes(bytes(journal.SIZE))
    return paths


@pytest.fixture
def two(toml, disks):
    """The TOML files of a VM that tries the first disk, and of one that keeps a journal on the second."""
    def write(trial: str = f"do=try sectors={TRY_SECTORS}") -> list[str]:
        files = []
        for name, image, append in zip(("failing", "neighbour"), disks, (trial, f"limit={LIMIT}")):
            files.append(toml(name, kernel="guest:journal", memory="16M", append=append))
            with open(files[-1], "a") as file:
                file.write(f'[[disk]]\nfile = "{image}"\n')
        return files

    return write


_FILE = "file.driver=file,file.filename="
_BLKDEBUG = "file.driver=blkdebug,file.config={rules},file.image.driver=file,file.image.filename="
_WRAPPER = """\
#!/usr/bin/python3
import os, sys
words = [word.replace({old!r}, {new!r}) for word in sys.argv[1:]]
os.execvp({qemu!r}, [{qemu!r}, *words])
"""


def failing(tmp_path, *rules: dict) -> dict:
    """Have QEMU's blkdebug fail the first disk's requests. The environment for ./caisson: a QEMU with another -drive."""
    config, program = tmp_path / "rules", tmp_path / "qemu-system-failing"
    config.write_text("".join("[inject-error]\n" + "".join(f'{key} = "{value}"\n' for key, value in rule.items())
                              for rule in rules))
    first = "id=disk0,format=raw,"
    program.write_text(_WRAPPER.format(old=first + _FILE, new=first + _BLKDEBUG.format(rules=config), qemu=qemu_program()))
    program.chmod(0o755)
    return {"CAISSON_QEMU": str(program)}


def lines_of(result, name: str) -> list[str]:
    return [line.removeprefix(f"[{name}] ").rstrip("\r") for line in result.text.splitlines() if line.startswith(f"[{name}] ")]


def assert_neighbour_was_not_disturbed(result, image) -> None:
    said = [int(number) for number in re.findall(r"^\[neighbour\] ack (\d+)\.", result.text, re.MULTILINE)]
    assert said and said[-1] >= LIMIT, result.text + result.err
    assert journal.check(image.read_bytes(), said[-1]) == said[-1]


ERRORS = {
    "reading": ({"event": "read_aio", "iotype": "read", "errno": 5, "sector": 3}, {3: "write 0 flush 0 read 1 differs"}),
    "writing": ({"event": "write_aio", "iotype": "write", "errno": 5, "sector": 3}, {3: "write 1 flush 0 read 0 differs"}),
    "flushing": ({"event": "flush_to_disk", "iotype": "flush", "errno": 5, "once": "on"}, {0: "write 0 flush 1 read 0 same"}),
    "full": ({"event": "write_aio", "iotype": "write", "errno": 28, "sector": 3}, {3: "write 1 flush 0 read 0 differs"}),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_an_error_of_the_host_is_one_guests_alone(tmp_path, two, disks, kind):
    rule, wrong = ERRORS[kind]
    result = batch(*two(), environment=failing(tmp_path, rule))
    assert lines_of(result, "failing") == [f"sector {number} {wrong.get(number, 'write 0 flush 0 read 0 same')}"
                                           for number in range(TRY_SECTORS)], result.err
    assert_neighbour_was_not_disturbed(result, disks[1])
    assert result.status == 0, result.err
