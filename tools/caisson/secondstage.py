"""What runs in the VM that an installed Debian is finished in, and the files that make it at home in a VM.

The second stage is the guest's process 1: the packages' own scripts, which are
programs of the guest's architecture. Its lines on the console are for
tools/caisson/installed.py, which shows them as progress.
"""

SCRIPT = "usr/lib/caisson/second-stage"
DONE, FAILED = "caisson: second stage: done", "caisson: second stage: FAILED"

_SECOND_STAGE = f"""\
#!/bin/sh
# Finishes the installation: dpkg's scripts, in dpkg's order. Runs as process 1, once.
export PATH=/usr/sbin:/usr/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true

# A script that is removed while it runs would keep the root from becoming read-only.
case $0 in
/run/*) ;;
*) mount -t tmpfs tmpfs /run && cp "$0" /run/second-stage && exec /run/second-stage ;;
esac
export INITRD=No    # Caisson hands the VM an initramfs of its own

off() {{
	sync
	mount -o remount,ro / || echo "{FAILED}: the root cannot be made read-only"
	echo o >/proc/sysrq-trigger
	while :; do sleep 1; done
}}
fail() {{
	echo "{FAILED}: $*"
	off
}}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
cd /
dmesg -n 4 2>/dev/null

# What dpkg runs before it unpacks. The first two make the users and the links that the others need.
cd /var/lib/dpkg/info || fail "there is no package"
for script in base-passwd.preinst base-files.preinst $(ls *.preinst); do
	[ -e /run/$script ] && continue
	package=${{script%.preinst}}
	DPKG_MAINTSCRIPT_NAME=preinst DPKG_MAINTSCRIPT_PACKAGE=${{package%:*}} DPKG_MAINTSCRIPT_PACKAGE_REFCOUNT=1 \\
		DPKG_MAINTSCRIPT_ARCH=riscv64 DPKG_ADMINDIR=/var/lib/dpkg DPKG_ROOT= \\
		./$script install || fail "$script"
	: >/run/$script
done
cd /
# The first stage knew the modules' dependencies sooner than a guest can.
mount --bind /bin/true /usr/bin/kmod
[ -e /usr/bin/awk ] || ln -s mawk /usr/bin/awk    # its alternative comes with its package's configuration

# Once more where two packages wait for each other.
dpkg --force-depends --force-confold --configure -a || dpkg --force-confold --configure -a || fail "dpkg --configure"

umount /usr/bin/kmod
echo root:caisson | chpasswd || fail "the password"
systemctl enable systemd-networkd ssh || fail "systemctl enable"
rm -f /etc/ssh/ssh_host_*    # each machine makes its own at its first start
ln -sf ../run/systemd/resolve/stub-resolv.conf /etc/resolv.conf
: >/etc/machine-id
rm -rf /var/log/*.log /var/log/apt/*.log /var/lib/systemd/random-seed /var/cache/debconf/*-old /var/lib/dpkg/*-old
dpkg --audit
[ -z "$(dpkg --audit)" ] || fail "dpkg --audit"
rm -r /usr/lib/caisson
echo "{DONE}"
off
"""

_SOURCES = """\
Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.debian.org/debian-security
Suites: trixie-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
# Where nobody answers DHCP, guests still find each other by their link-local addresses.
_NETWORK = """\
[Match]
Type=ether

[Network]
DHCP=yes
LinkLocalAddressing=yes
MulticastDNS=yes

[DHCPv4]
UseDomains=yes
"""
# One kind of key: the others take a minute to make on an emulated machine.
_SSH = "HostKey /etc/ssh/ssh_host_ed25519_key\n"
_SSH_KEY = """\
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c '[ -s /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key'
ExecStartPre=/usr/sbin/sshd -t
"""
# An emulated machine that shares its computer is slow, not broken: after 90 s without /dev/ttyS0 there would be no login.
_PATIENCE = """\
[Manager]
DefaultTimeoutStartSec=15min
DefaultDeviceTimeoutSec=15min
"""

FILES = {
    SCRIPT: _SECOND_STAGE,
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/apt/sources.list.d/debian.sources": _SOURCES,
    "etc/systemd/system.conf.d/caisson.conf": _PATIENCE,
    "etc/systemd/network/80-caisson.network": _NETWORK,
    "etc/ssh/sshd_config.d/caisson.conf": _SSH,
    "etc/systemd/system/ssh.service.d/caisson.conf": _SSH_KEY,
}
EXECUTABLE = {SCRIPT}
