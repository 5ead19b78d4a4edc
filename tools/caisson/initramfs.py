"""Root file systems for Linux guests, made of busybox. No root rights and no cpio program needed."""
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from caisson import cpio

_FOLDERS = ("bin", "dev", "etc", "mnt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin",
            "usr/share", "var")

# Drivers for a machine that has virtio devices: loading them costs time that others need not spend.
_MODULES = """\
if [ -e /lib/modules/order ] && ls -d /sys/bus/platform/devices/*virtio_mmio >/dev/null 2>&1; then
	while read -r module; do insmod /lib/modules/$module.ko; done </lib/modules/order
fi
"""
_INITTAB = """\
::sysinit:/etc/rc
::respawn:/etc/console
::ctrlaltdel:/bin/reboot
"""
_RC = """\
#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
hostname debian
ip link set lo up
""" + _MODULES + """\
if [ -e /sys/class/net/eth0 ]; then
	ip link set eth0 up
	udhcpc -i eth0 -S -A 5 >/dev/null 2>&1 &
fi
"""
# What udhcpc calls when it has an address, by the name that it looks for.
_DHCP = """\
#!/bin/sh
case $1 in
deconfig) ip -4 addr flush dev $interface ;;
bound|renew)
	ip addr replace $ip/$mask dev $interface
	[ -z "$router" ] || ip route replace default via ${router%% *}
	for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf ;;
esac
"""
# init made this process a session leader: opening the terminal makes it the
# controlling one, which is what gives the shell job control and Ctrl-C.
_CONSOLE = """\
#!/bin/sh
tty=/dev/$(sed 's/.* //' /sys/class/tty/console/active 2>/dev/null)
[ -c "$tty" ] || tty=/dev/console
cd /root
exec env HOME=/root TERM=xterm PATH=/bin:/sbin:/usr/bin:/usr/sbin sh -l <"$tty" >"$tty" 2>&1
"""
_PASSWD = "root::0:0:root:/root:/bin/sh\n"
_PROFILE = """\
export PS1='\\u@\\h:\\w\\$ ' USER=root
if [ ! -e /run/welcomed ]; then
	: >/run/welcomed
	dmesg -n 4
	echo
	echo "Debian's Linux $(uname -r) with $(nproc) CPU(s) in a VM on Caisson; the shell is busybox."
	echo "  poweroff   ends this VM        reboot   starts it again"
	echo "  Ctrl-]     goes to Caisson's monitor and back"
	echo
fi
"""
_BATCH_HEAD = """\
#!/bin/busybox sh
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
""" + _MODULES
# The root is on a disk: what boot arguments say of it counts, as with anybody's initramfs.
DISK_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev 2>/dev/null
fail() {
	echo "initramfs: $*; the disks are: $(ls /sys/block | tr '\\n' ' ')" >/dev/console
	sync
	poweroff -f
}
""" + _MODULES + """\
root=/dev/vda mode=ro init=/sbin/init
for word in $(cat /proc/cmdline); do
	case $word in
	root=*) root=${word#root=} ;;
	init=*) init=${word#init=} ;;
	ro|rw) mode=$word ;;
	esac
done
tries=0
while ! { disk=$(findfs "$root" 2>/dev/null) || disk=$root; [ -b "$disk" ]; }; do
	tries=$((tries + 1))
	[ $tries -le 100 ] || fail "no root $root after 10 s"
	sleep 0.1
done
mount -t ext4 -o $mode "$disk" /mnt || fail "$disk cannot be mounted"
[ -x "/mnt/$init" ] || [ -L "/mnt/$init" ] || fail "$disk has no $init"
mount --move /dev /mnt/dev
umount /proc /sys
exec switch_root -c /dev/console /mnt $init
"""


def make(path: Path, busybox: Path, commands: list[str] | None = None,
         files: dict[str, bytes] | None = None, init: bytes | None = None) -> None:
    """Write an initramfs.

    By default it ends in a shell on the console. With `commands` it runs those
    lines instead and powers off. `init` is a program to run instead of all that.
    `files` (name -> contents, executable) are added. The same arguments give the same bytes.
    """
    scratch = path.with_name(f"{path.name}.{os.getpid()}")
    with open(scratch, "wb") as out:
        archive = cpio.Writer(out)
        for folder in sorted({*_FOLDERS, *_parents(files or {})}):
            archive.directory(folder, 0o1777 if folder == "tmp" else 0o755)
        archive.character_device("dev/console", 5, 1)
        archive.character_device("dev/null", 1, 3, 0o666)
        archive.file("etc/passwd", _PASSWD.encode())
        archive.file("etc/group", b"root:x:0:\n")
        archive.file("bin/busybox", busybox.read_bytes(), 0o755)
        archive.symlink("bin/sh", "busybox")
        _add_init(archive, commands, init)
        for name, data in (files or {}).items():
            archive.file(name, data, 0o755)
        archive.finish()
    os.replace(scratch, path)


def _parents(names: Iterable[str]) -> set[str]:
    """The folders that these files are in."""
    return {str(folder) for name in names for folder in PurePosixPath(name).parents if folder.name}


def _add_init(archive: cpio.Writer, commands: list[str] | None, init: bytes | None) -> None:
    if init is not None:
        archive.file("init", init, 0o755)
    elif commands is not None:
        script = _BATCH_HEAD + "".join(line + "\n" for line in commands) + "poweroff -f\n"
        archive.file("init", script.encode(), 0o755)
    else:
        # busybox is init by the name it is called with
        archive.symlink("init", "bin/busybox")
        archive.file("etc/inittab", _INITTAB.encode())
        archive.file("etc/rc", _RC.encode(), 0o755)
        archive.file("etc/console", _CONSOLE.encode(), 0o755)
        archive.file("etc/profile", _PROFILE.encode())
        archive.directory("etc/udhcpc")
        archive.file("etc/udhcpc/default.script", _DHCP.encode(), 0o755)


def is_newer_than_tool(path: Path) -> bool:
    """Whether the archive was made after this module was last changed."""
    return path.exists() and path.stat().st_mtime >= Path(__file__).stat().st_mtime
