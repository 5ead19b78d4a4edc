"""Issue 5's quick form: ping and wget between two of Debian's Linux, with the offloads that their driver takes."""
import functools
import hashlib
import http.server
import random
import re
import threading

import pytest

from machines import ROOT, batch
from prompt import end_of_run, to_monitor

SIZE = 4 << 20
# Bits of the virtio network device's features: checksums and TCP segmentation both ways, mergeable buffers.
CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4, MRG_RXBUF = 0, 1, 7, 11, 15
SERVER = [
    "ip link set eth0 up && ip addr add 10.1.0.1/24 dev eth0",
    "httpd -h /www",
    "echo features $(cat /sys/class/net/eth0/device/features)",
    "nc -l -p 99",        # the client's last word
    "echo bye",
]
CLIENT = [
    "ip link set eth0 up && ip addr add 10.1.0.2/24 dev eth0",
    "tries=0; until ping -c 1 -W 1 10.1.0.1 >/dev/null; do tries=$((tries+1)); [ $tries -lt 600 ] || poweroff -f; done",
    "ping -c 5 -i 0.2 -s 1400 10.1.0.1 | grep loss",
    "until wget -q -O /tmp/got http://10.1.0.1/file; do sleep 0.2; done",
    "sha256sum /tmp/got",
    "echo packets $(cat /sys/class/net/eth0/statistics/rx_packets)",
    "echo errors $(cat /sys/class/net/eth0/statistics/*_errors | sort -u)",
    "until echo end | nc 10.1.0.1 99; do sleep 0.2; done",
]


@pytest.fixture
def initrd(debian, tmp_path):
    from caisson import initramfs, modules

    def make(name: str, lines: list[str], files: dict[str, bytes] | None = None):
        initramfs.make(tmp_path / name, debian / "busybox", lines, {**modules.read(debian / "modules"), **(files or {})})
        return tmp_path / name

    return make


@pytest.mark.parametrize("offload, client_offload", [(True, True), (False, False), (True, False)],
                         ids=["offloads", "plain", "cut by the switch"])
def test_two_linux_guests_on_a_switch(debian, initrd, tmp_path, offload, client_offload):
    content = random.Random(5).randbytes(SIZE)
    common = f'kernel = "{debian}/vmlinux"\nappend = "console=ttyS0 quiet panic=-1"\nmemory = "128M"\n'
    for name, lines, files, has in (("server", SERVER, {"www/file": content}, offload), ("client", CLIENT, {}, client_offload)):
        net = f"[[net]]\noffload = {str(has).lower()}\n"
        (tmp_path / f"{name}.toml").write_text(f'{common}initrd = "{initrd(f"{name}.cpio", lines, files)}"\n{net}')
    result = batch(tmp_path / "server.toml", tmp_path / "client.toml", "--harts", "2")
    text = result.text.replace("\r\n", "\n")
    assert result.status == 0, text + result.err
    assert "[client] 5 packets transmitted, 5 packets received, 0% packet loss" in text, text
    assert f"[client] {hashlib.sha256(content).hexdigest()}  /tmp/got" in text, text
    assert "[client] errors 0\n" in text and "[server] bye" in text, text
    bits = re.search(r"\[server\] features ([01]+)", text)[1]
    taken = [bits[bit] == "1" for bit in (CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4)]
    assert taken == [offload] * 4 and bits[MRG_RXBUF] == "1"
    packets = int(re.search(r"\[client\] packets (\d+)", text)[1])
    if offload and client_offload:
        assert packets < SIZE // 1460 * 4 // 5, "large packets were cut on the way"
    else:
        assert packets > SIZE // 1460


@pytest.fixture
def web(tmp_path):
    """A web server of this computer with one page; a guest behind the uplink finds it at 10.0.2.2. Its port, the page's bytes."""
    page = random.Random(6).randbytes(1 << 20)
    (tmp_path / "page").write_bytes(page)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], page
        server.shutdown()


def test_a_download_through_the_uplink(debian, initrd, tmp_path, web):
    port, page = web
    lines = ["ip link set eth0 up && ip addr add 10.0.2.15/24 dev eth0", "ping -c 3 -i 0.2 10.0.2.2 | grep loss",
             f"wget -q -O - http://10.0.2.2:{port}/page | sha256sum"]
    (tmp_path / "vm.toml").write_text(f'kernel = "{debian}/vmlinux"\nappend = "console=ttyS0 quiet panic=-1"\nmemory = "128M"\n'
                                      f'initrd = "{initrd("vm.cpio", lines)}"\n[[net]]\nuplink = true\n')
    result = batch(tmp_path / "vm.toml")
    assert result.status == 0, result.text + result.err
    assert "3 packets received" in result.text and hashlib.sha256(page).hexdigest() in result.text, result.text


def test_demonstration_gets_addresses_from_the_machines_network(debian, spawn):
    """configs/demos/network: DHCP through the uplink, a ping between the two, a disk in RAM."""
    child = spawn("run", "--quiet", "--harts", "2", *sorted((ROOT / "configs/demos/network").glob("*.toml")),
                  encoding="utf-8", codec_errors="replace")
    addresses = []
    for name in ("debian-1", "debian-2"):
        if addresses:
            to_monitor(child)
            child.send(f"vm console {name}\r")
            child.expect_exact(f"[console of {name};")
            child.send("\r")
        child.expect_exact("root@debian:~# ")
        child.send("until ip -4 -o addr show eth0 | grep -o '10[.]0[.]2[.][0-9]*/'; do sleep 1; done\r")
        child.expect(r"\n(10\.0\.2\.\d+)/")
        addresses.append(child.match[1])
    child.send(f"ping -c 3 {addresses[0]}\r")
    child.expect_exact("3 packets received")
    child.send("grep vda /proc/partitions\r")
    child.expect(r"\n +\d+ +\d+ +65536 vda")
    to_monitor(child)
    child.send("poweroff\r")
    assert end_of_run(child) == 0 and len(set(addresses)) == 2
