"""
Every applet of Debian's busybox, tried on the monolith: what to run, and what it has to print. Run as a program (or by
test_applets.py) it says which work. The commands run in a folder of their own, with /proc and the files that PREPARE makes.
"""
import re
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2] / "tools")]

PREPARE = ("busybox --install -s /bin; mkdir -p /tmp/t /etc; cd /tmp/t; printf 'one\\ntwo\\nthree\\n' >f; printf 'one\\n2\\nthree\\n' >g; "
           "printf 'root:x:0:0:root:/root:/bin/sh\\n' >/etc/passwd; printf 'root:x:0:\\n' >/etc/group; export HOME=/tmp USER=root LOGNAME=root; ")
# name -> command, pattern that all of its output has to match
TRIED = {
    "[": ("[ 1 -lt 2 ] && echo yes", "yes"), "[[": ("busybox '[[' a = a ']]' && echo yes", "yes"),
    "ar": ("touch a.o; tar cf x f; printf '!<arch>\\n' >a.a; ar -t a.a; echo done", "done"),
    "arch": ("arch", "riscv64"), "ascii": ("ascii | head -1", "Dec Hex.*"), "ash": ("ash -c 'echo $((6*7))'", "42"),
    "awk": ("awk '{ n += NR } END { print n, $1 }' f", "6 three"), "base64": ("base64 f | base64 -d", "one\ntwo\nthree"),
    "basename": ("basename /a/b.c .c", "b"), "bc": ("echo '2^70' | bc", "1180591620717411303424"),
    "bunzip2": ("cp f x; bzip2 x; bunzip2 x.bz2; cat x", "one\ntwo\nthree"), "busybox": ("busybox | head -1", "BusyBox v.*"),
    "bzcat": ("bzip2 -c f | bzcat", "one\ntwo\nthree"), "bzip2": ("bzip2 -c f | od -An -c | head -1 | cut -c1-12", "   B   Z   h"),
    "cal": ("cal 1 2000", "    January 2000.*30 31"), "cat": ("cat f", "one\ntwo\nthree"), "chgrp": ("chgrp 7 f; stat -c %g f", "7"),
    "chmod": ("chmod 641 f; stat -c %a f", "641"), "chown": ("chown 5:6 f; stat -c %u:%g f", "5:6"),
    "chroot": ("mkdir -p r/bin; cp /bin/busybox r/bin; chroot r /bin/busybox ls /", "bin"), "clear": ("clear | od -An -c | head -1 | tr -d ' '", "033.*"),
    "cmp": ("cmp f g", "f g differ: char 5, line 2"), "cp": ("cp f x; cat x", "one\ntwo\nthree"),
    "cpio": ("echo f | cpio -o -H newc 2>/dev/null | cpio -t 2>/dev/null", "f"), "crc32": ("crc32 f", "[0-9a-f]{8}.*"), "cut": ("cut -c2-3 f", "ne\nwo\nhr"),
    "date": ("date -u -d @86400 +%F", "1970-01-02"), "dc": ("echo '6 7 * p' | dc", "42"),
    "dd": ("dd if=f bs=4 count=1 2>/dev/null", "one"), "df": ("df / | wc -l", "2"), "diff": ("diff f g", ".*-two\n\\+2.*"), "dirname": ("dirname /a/b", "/a"),
    "dos2unix": ("printf 'a\\r\\nb\\r\\n' >x; dos2unix x; cat x", "a\nb"), "du": ("du -s f | cut -f2", "f"), "echo": ("echo -e 'a\\tb'", "a\tb"),
    "ed": ("printf '2p\\nq\\n' | ed -s f 2>/dev/null || printf '2p\\nq\\n' | ed f", ".*two"), "egrep": ("egrep 'o|h' f", "one\ntwo\nthree"), "env": ("env -i A=1 /bin/env", "A=1"),
    "expand": ("printf 'a\\tb\\n' | expand -t 4", "a   b"), "expr": ("expr 6 '*' 7", "42"), "factor": ("factor 91", "91: 7 13"),
    "fallocate": ("fallocate -l 5000 x; stat -c %s x", "5000"), "false": ("false || echo no", "no"), "fgrep": ("fgrep -c o f", "2"),
    "find": ("find . -name 'f*' -type f", "./f"), "fold": ("fold -w 2 f | head -2", "on\ne"), "free": ("free | head -2 | tail -1", "Mem: .*"),
    "getopt": ("getopt ab: -b x -a", " -b 'x' -a --| -b x -a --"), "grep": ("grep -n t f", "2:two\n3:three"), "groups": ("groups", "root"),
    "gunzip": ("gzip -c f >x.gz; gunzip x.gz; cat x", "one\ntwo\nthree"), "gzip": ("gzip -c f | gzip -dc", "one\ntwo\nthree"),
    "head": ("head -n 1 f", "one"), "hexdump": ("hexdump -C f | head -1", "00000000  6f 6e 65 0a.*"), "hostid": ("hostid", "[0-9a-f]+"), "hostname": ("hostname", ".+"),
    "id": ("id -u", "0"), "install": ("install -m 600 f x; stat -c %a x", "600"), "ipcalc": ("ipcalc -n 10.1.2.3/8", "NETWORK=10.0.0.0"),
    "kill": ("sleep 50 & kill $!; wait $!; echo $?", "(Terminated\n)?143"), "killall": ("sleep 50 & usleep 100000; killall sleep; wait $!; echo $?", "(Terminated\n)?143"),
    "less": ("less f", "one\ntwo\nthree"), "link": ("link f x; cat x", "one\ntwo\nthree"),
    "ln": ("ln -s f x; readlink x", "f"), "logname": ("logname || echo none", ".*"), "ls": ("ls -1 f g", "f\ng"),
    "lzop": ("lzop -c f | lzop -dc", "one\ntwo\nthree"), "md5sum": ("md5sum f", "[0-9a-f]{32}  f"),
    "mkdir": ("mkdir -p a/b; ls a", "b"), "mkdosfs": ("truncate -s 1M x; mkdosfs x >/dev/null; hexdump -C x | grep -c FAT", "[1-9]"),
    "mke2fs": ("truncate -s 1M x; mke2fs -F x >/dev/null; stat -c %s x", "1048576"), "mkfifo": ("mkfifo p; cat p & echo hi >p; wait", "hi"),
    "mknod": ("mknod n c 1 3; echo x >n; cat n; ls -l n | cut -c1", "c"), "mkpasswd": ("mkpasswd -m md5 -S abcdefgh pw", "\\$1\\$abcdefgh\\$.*"),
    "mkswap": ("truncate -s 1M x; mkswap x | head -1", "Setting up.*"), "mktemp": ("mktemp -p . | cut -c1-6", "./tmp."), "more": ("more f", "one\ntwo\nthree"),
    "mount": ("mkdir m; mount -t tmpfs none m; touch m/x; ls m; umount m; ls m; mount | grep -c proc", "x\n[1-9]"),
    "mv": ("mv f x; ls", "g\nx"), "nl": ("nl f | head -1 | tr -d ' '", "1\tone"), "nproc": ("nproc", "1"), "od": ("od -An -tx1 f | head -1", " 6f 6e 65.*"),
    "paste": ("paste f g | head -1", "one\tone"), "patch": ("diff -u f g >d; patch f <d >/dev/null; cat f", "one\n2\nthree"),
    "pidof": ("sleep 50 & usleep 100000; [ $(pidof sleep) = $! ] && echo same; kill $!", "same"), "printf": ("printf '%05d %s\\n' 42 x", "00042 x"),
    "ps": ("ps -o comm | grep -c ps", "[1-9]"), "pwd": ("pwd", "/tmp/t"), "readlink": ("readlink -f /tmp/t/../t/f", "/tmp/t/f"),
    "realpath": ("realpath ../t/f", "/tmp/t/f"), "renice": ("renice -n 5 -p $$ && echo done", "done"), "rev": ("rev f", "eno\nowt\neerht"),
    "rm": ("rm f; ls", "g"), "rmdir": ("mkdir a; rmdir a; ls", "f\ng"), "run-parts": ("mkdir d; printf '#!/bin/sh\\necho ran\\n' >d/a; chmod 755 d/a; run-parts d", "ran"),
    "sed": ("sed -n 's/o/0/gp' f", "0ne\ntw0"), "seq": ("seq 1 3", "1\n2\n3"), "setpriv": ("setpriv --nnp echo x", "x"), "setsid": ("setsid echo x", "x"), "sh": ("sh -c 'echo $0' x", "x"),
    "sha1sum": ("sha1sum f | cut -c1-4", "[0-9a-f]{4}"), "sha256sum": ("printf '' | sha256sum", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  -"),
    "sha3sum": ("sha3sum f | wc -c", "6[0-9]"), "sha512sum": ("sha512sum f | wc -c", "13[0-9]"), "shred": ("shred -n 1 f; stat -c %s f", "14"),
    "shuf": ("shuf f | sort", "one\nthree\ntwo"), "sleep": ("sleep 0.1; echo up", "up"), "sort": ("sort -r f", "two\nthree\none"),
    "start-stop-daemon": ("start-stop-daemon -S -x /bin/echo -- hi", "hi"), "stat": ("stat -c '%s %F' f", "14 regular file"), "strings": ("strings f | head -1", "three"),
    "sync": ("sync; echo done", "done"), "tac": ("tac f", "three\ntwo\none"), "tail": ("tail -n 1 f", "three"), "tar": ("tar cf x f g; tar tf x", "f\ng"),
    "taskset": ("taskset 1 echo x", "x"), "tee": ("echo x | tee y; cat y", "x\nx"), "test": ("test -f f && echo yes", "yes"), "time": ("time true 2>&1 | head -1 | cut -c1-4", "real"),
    "timeout": ("timeout 1 sleep 50; echo $?", "(Terminated\n)?143"), "top": ("top -b -n 1 | head -1", "Mem: .*"), "touch": ("touch x; ls x", "x"), "tr": ("tr a-z A-Z <f", "ONE\nTWO\nTHREE"),
    "true": ("true && echo yes", "yes"), "truncate": ("truncate -s 5 f; stat -c %s f", "5"), "ts": ("echo x | ts | tail -c 2", "x"), "tty": ("tty <f", "not a tty"),
    "umount": ("mkdir m; mount -t tmpfs none m; umount m && echo done", "done"), "uname": ("uname -sm", "Linux riscv64"),
    "unexpand": ("printf '        a\\n' | unexpand", "\ta"), "uniq": ("printf 'a\\na\\nb\\n' | uniq -c | tr -d ' '", "2a\n1b"), "unix2dos": ("unix2dos g; head -1 g | od -An -c | tr -d ' '", "one\\\\r\\\\n"),
    "unlink": ("unlink f; ls", "g"), "unshare": ("unshare -m echo x", "x"),
    "uptime": ("uptime | grep -c load", "1"), "usleep": ("usleep 1000; echo up", "up"), "uudecode": ("uuencode f y >x; uudecode -o - x", "one\ntwo\nthree"),
    "uuencode": ("uuencode f y | head -1", "begin [0-7]+ y"), "w": ("w | wc -l", "[1-9]"), "watch": ("timeout 1 watch -n 1 echo hi | grep -c hi", "[1-9].*"), "wc": ("wc -l <f", "3"),
    "which": ("which ls", "/bin/ls"), "who": ("who | wc -l", "[0-9]+"), "whoami": ("whoami", "root"), "xargs": ("xargs echo <f", "one two three"),
    "xxd": ("xxd -p f", "6f6e650a.*"), "yes": ("yes | head -2", "y\ny"), "zcat": ("gzip -c f | zcat", "one\ntwo\nthree"),
    "dmesg": ("dmesg >/dev/null && echo done", "done"),
    "ionice": ("ionice -c 2 -n 0 true && echo done", "done"), "nologin": ("nologin; echo $?", ".*\n?1"), "sysctl": ("sysctl -n kernel.ostype", "Linux"), "stty": ("stty 2>&1 <f | grep -c -i 'not a\\|inappropriate'", "1"),
}
NOT_APPLICABLE = {
    "a network, which the monolith has not": """arp arping brctl dnsdomainname dumpleases ftpget ftpput httpd ifconfig ifdown ifup ip nameif nbd-client
        nc netstat nslookup ping ping6 rdate route ssl_client syslogd logger logread telnet telnetd tftp traceroute traceroute6 tunctl
        udhcpc udhcpc6 udhcpd vconfig wget tc""",
    "hardware that it has no driver for, or kernel modules": """acpid adjtimex blkdiscard blockdev chvt deallocvt depmod devmem dumpkmap fdisk freeramdisk
        fsfreeze fstrim hwclock i2cdetect i2cdump i2cget i2cset i2ctransfer insmod klogd loadfont loadkmap losetup lsmod lsscsi mdev microcom
        modinfo modprobe mt openvt partprobe rmmod setkeycodes swapoff swapon getfattr ubirename uevent watchdog nuke resume fatattr findfs""",
    "accounts, init or other daemons": """crond crontab getty halt init last linuxrc login nsenter passwd pivot_root poweroff reboot run-init su sulogin svc
        svok switch_root mim""",
    "an input in a format that nothing here writes": "dpkg dpkg-deb lzcat lzma rpm rpm2cpio uncompress unlzma unxz unzip xz xzcat",
    "a terminal": "reset vi cttyhack",
    "only other names of the same program": "linux32 linux64",
}
NONE = {name: reason for reason, names in NOT_APPLICABLE.items() for name in names.split()}

# Calls that are not there.
DO_NOT_WORK = {"chroot": "chroot", "dmesg": "syslog", "ionice": "ioprio_set", "unshare": "unshare"}


def script(names) -> str:
    """Runs each in a shell and a folder of its own; a line tells where its output begins."""
    lines = [PREPARE]
    for name in names:
        lines.append(f"cd /tmp; rm -rf t; mkdir t; cd t; printf 'one\\ntwo\\nthree\\n' >f; printf 'one\\n2\\nthree\\n' >g; echo '%%% {name}'\n"
                     f"( {TRIED[name][0]}\n ) 2>&1 </dev/null\n")
    return "".join(lines) + "echo '%%% end'\n"


def outcomes(text: str) -> dict[str, str]:
    """What each printed, by its name."""
    parts = re.split(r"^%%% (.*)\n", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def worked(name: str, printed: str | None) -> bool:
    return printed is not None and re.fullmatch(TRIED[name][1], printed.strip("\n"), re.DOTALL) is not None


def triable() -> list[str]:
    return list(TRIED)


def run_all(names, folder: Path, **options):
    """-> what each printed; the applets that there are."""
    from caisson import fetch
    from machines import caisson

    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "busybox").write_bytes((fetch.debian() / "busybox").read_bytes())
    (folder / "bin" / "busybox").chmod(0o755)
    (folder / "script").write_text("busybox --list; echo %%% list\n" + script(names))
    result = caisson("exec", "--icount", "--root", folder, folder / "bin" / "busybox", "sh", "/script", **options)
    listed, _, rest = result.text.replace("\r", "").partition("%%% list\n")
    return outcomes(rest), listed.split()


def main() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        printed, there = run_all(triable(), Path(folder) / "root", timeout=300)
    good = [name for name in there if name in printed and worked(name, printed[name])]
    bad = [name for name in there if name in triable() and name not in good]
    rest = [name for name in there if name not in triable()]
    for name in bad:
        print(f"{name}: did not work: {printed.get(name)!r}")
    for name in rest:
        print(f"{name}: not tried: {NONE.get(name, '?')}")
    print(f"{len(there)} applets: {len(good)} work, {len(bad)} do not, {len(rest)} are not applicable")


if __name__ == "__main__":
    main()
