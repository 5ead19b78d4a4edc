"""Debian's busybox, unmodified, on the monolith (P5)."""
import hashlib

import pytest

from machines import run


@pytest.fixture(scope="module")
def busybox(tmp_path_factory):
    """Run it with these arguments: what it printed, and its status."""
    from caisson import building, cpio, fetch

    chosen = building.Variant("monolith")
    building.build(chosen)
    program = (fetch.debian() / "busybox").read_bytes()

    def start(*words, harts=1):
        archive = tmp_path_factory.mktemp("initrd") / "root.cpio"
        with open(archive, "wb") as out:
            writer = cpio.Writer(out)
            writer.file(".caisson/argv", b"".join(word.encode() + b"\0" for word in ("/bin/busybox", *words)))
            writer.file(".caisson/env", b"PATH=/bin\0")
            writer.file("bin/busybox", program, 0o755)
            writer.file("text", b"one\ntwo\nthree\n")
            writer.finish()
        result = run(["qemu-system-riscv64", "-M", "virt", "-smp", harts, "-m", "64M", "-nodefaults", "-display", "none",
                      "-serial", "stdio", "-kernel", chosen.image, "-initrd", archive, "-append", "loglevel=warn"])
        return result.status, result.text.replace("\r", "").partition("\n\n\n")[2] or result.text.replace("\r", "")

    return start


def shell(busybox, script, **options):
    status, text = busybox("sh", "-c", "echo begin; " + script, **options)
    return status, text.partition("begin\n")[2]


def test_P5_an_applet_runs(busybox):
    status, text = busybox("echo", "hello", "from Debian")
    assert status == 0 and "hello from Debian\n" in text


def test_P5_files_of_the_root(busybox):
    assert shell(busybox, "busybox cat /text; cd /bin; busybox ls; pwd") == (0, "one\ntwo\nthree\nbusybox\n/bin\n")
    assert shell(busybox, "busybox cat /nothing")[0] == 1


@pytest.mark.parametrize("harts", [1, 4])
def test_P5_fork_exec_wait(busybox, harts):
    script = "(exit 3); echo $?; for i in 1 2 3; do busybox echo $i; done; busybox false || echo no; exit 7"
    assert shell(busybox, script, harts=harts) == (7, "3\n1\n2\n3\nno\n")


def test_P5_signals(busybox):
    script = ('trap "echo caught" USR1; kill -USR1 $$; busybox sh -c "kill -SEGV \\$\\$"; echo $?; '
              'busybox sh -c "kill -9 \\$\\$"; echo $?; trap "" TERM; kill $$; echo alive')
    status, text = shell(busybox, script)
    assert status == 0
    assert text.replace("Segmentation fault\n", "").replace("Killed\n", "") == "caught\n139\n137\nalive\n"


def test_P5_many_forks(busybox):
    script = "i=0; while [ $i -lt 150 ]; do (exit 1); i=$((i + 1)); done; echo $i"
    assert shell(busybox, script, harts=2) == (0, "150\n")


def test_P5_a_file_tree(busybox):
    script = ("busybox --install -s /bin; cd /tmp; mkdir -p x/y; echo hi >x/f; ln -s ../f x/y/l; cat x/y/l; mv x/f x/g; "
              "cat x/y/l 2>/dev/null || echo dangling; find x | sort; cp x/g c; chmod 600 c; stat -c '%a %s' c; rm -r x; ls; "
              "dd if=/dev/zero bs=4096 count=50 2>/dev/null | cat >/dev/null; cat c >/dev/full || echo full")
    status, text = shell(busybox, script)
    assert (status, text) == (0, "hi\ndangling\nx\nx/g\nx/y\nx/y/l\n600 3\nc\ncat: write error: No space left on device\nfull\n")


def test_P5_tools(busybox):
    script = ("busybox --install -s /bin; cd /tmp; cp -r /text .; sed s/two/TWO/ text; grep -c o text; sort -r text; "
              "awk '{ n += length($1) } END { print n }' text; wc -l <text; head -1 text; tar cf t text; tar tf t; gzip t; gunzip t.gz; "
              "tar xOf t text; md5sum text; od -c text")
    status, text = shell(busybox, script)
    digest = hashlib.md5(b"one\ntwo\nthree\n").hexdigest()
    assert (status, text) == (0, "one\nTWO\nthree\n2\ntwo\nthree\none\n11\n3\none\ntext\none\ntwo\nthree\n" + digest + "  text\n"
                              "0000000   o   n   e  \\n   t   w   o  \\n   t   h   r   e   e  \\n\n0000016\n")


@pytest.mark.parametrize("harts", [1, 4])
def test_P5_pipes(busybox, harts):
    script = ("busybox --install -s /bin; seq 3 | tac; seq 20000 | wc -l; yes | head -2; dd if=/dev/zero bs=1000 count=300 2>/dev/null | wc -c; "
              "echo x | { read a; echo got $a; }; (echo out; echo err >&2) 2>&1 | sort; true | false; echo $?")
    assert shell(busybox, script, harts=harts) == (0, "3\n2\n1\n20000\ny\ny\n300000\ngot x\nerr\nout\n1\n")


def test_P5_proc(busybox):
    script = ("busybox --install -s /bin; cd /tmp; readlink /proc/self/exe; readlink /proc/self/cwd; grep -c ^tmpfs /proc/mounts; "
              "sleep 100 & ps -o pid,comm | grep -c sleep; ls /proc/$! | grep -c ^stat; kill $!; wait; ls /proc/$! 2>/dev/null || echo gone; "
              "free | grep -c Mem; cat /proc/none || uptime >/dev/null && echo up")
    assert shell(busybox, script) == (0, "/bin/busybox\n/tmp\n1\n1\n3\ngone\n1\n"
                                         "cat: can't open '/proc/none': No such file or directory\nup\n")
