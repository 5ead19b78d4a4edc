#!/usr/bin/python3
"""Plays QEMU for the tool's tests: records its command line and runs FAKE_QEMU_SCRIPT.

The script is Python with these at hand: frame(channel, data), raw(data), read(n), end(status).
"""
import os
import shutil
import signal  # noqa: F401 (for scripts)
import sys
import time  # noqa: F401 (for scripts)


def raw(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def frame(channel: int, data: bytes) -> None:
    raw(bytes([0x10, 0x40 + channel]) + data.replace(b"\x10", b"\x10\x10"))


def read(count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            break
        data += piece
    return data


def end(status: int) -> None:
    sys.stdout.flush()
    os._exit(status)


record = os.environ["FAKE_QEMU_RECORD"]
if "-initrd" in sys.argv:
    shutil.copyfile(sys.argv[sys.argv.index("-initrd") + 1], record + ".bundle")
with open(record + ".new", "w", errors="surrogateescape") as out:
    out.write("\0".join([str(os.getpid()), *sys.argv[1:]]))
os.rename(record + ".new", record)
exec(os.environ["FAKE_QEMU_SCRIPT"] or "frame(8, b'hello\\n'); end(0)")  # pylint: disable=exec-used
