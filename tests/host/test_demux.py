"""Undoing the frames, however the pipe cuts them."""
import pytest
from caisson.demux import Demultiplexer, LinePrefixer


def collect(pieces):
    channels = {}

    def deliver(channel, data):
        channels[channel] = channels.get(channel, b"") + data
    demultiplexer = Demultiplexer(deliver)
    for piece in pieces:
        demultiplexer.feed(piece)
    return channels, demultiplexer.channels_seen


STREAM = b"firmware\r\n\x10\x40log\n\x10\x48a\x10\x10b\x10\x49other\x10\x48c\x10\x42bad\n"
RESULT = {0: b"firmware\r\nlog\n", 8: b"a\x10bc", 9: b"other", 2: b"bad\n"}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_cut_anywhere(size):
    pieces = [STREAM[i: i + size] for i in range(0, len(STREAM), size)]
    channels, seen = collect(pieces)
    assert channels == RESULT
    assert seen == {0, 8, 9, 2}


def test_firmware_alone_is_log_and_no_frame():
    assert collect([b"OpenSBI\r\n"]) == ({0: b"OpenSBI\r\n"}, set())


def test_every_byte_value_survives():
    data = bytes(range(256)) * 3
    channels, _ = collect([b"\x10\x48" + data.replace(b"\x10", b"\x10\x10")])
    assert channels[8] == data


def test_foreign_control_byte_is_kept():
    assert collect([b"\x10\x48x\x10\x01y"])[0] == {8: b"x\x10\x01y"}


def test_empty_frame_counts_as_seen():
    assert collect([b"\x10\x41"]) == ({}, {1})


def prefixed(pieces):
    out = []
    prefixer = LinePrefixer("vm", out.append)
    for piece in pieces:
        prefixer.feed(piece)
    prefixer.finish()
    return b"".join(out)


def test_prefix_lines():
    assert prefixed([b"on", b"e\ntwo\n\nthr", b"ee"]) == b"[vm] one\n[vm] two\n[vm] \n[vm] three\n"


def test_prefix_breaks_endless_line():
    result = prefixed([b"x" * (3 * LinePrefixer.LONGEST)])
    assert result.count(b"\n") == 3
    assert result.count(b"x") == 3 * LinePrefixer.LONGEST
