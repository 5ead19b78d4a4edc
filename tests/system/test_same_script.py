"""One script on files, by the same busybox, prints the same bytes on Debian's kernel and on the monolith (P5)."""
import subprocess

import pytest

import linux_bare
from machines import caisson

SCRIPT = r"""#!/busybox sh
/busybox mkdir -p /bin /proc /dev /tmp
/busybox --install -s /bin
PATH=/bin
mount -t proc proc /proc 2>/dev/null
mount -t devtmpfs dev /dev 2>/dev/null
exec 2>&1
mkdir /w; mount -t tmpfs -o size=2m,mode=755 w /w; cd /w
echo "--- begin"
umask 022
mkdir -p a/b/c d; echo one >a/1; echo two >a/b/2; ln -s ../1 a/b/l; ln -s nowhere a/x; ln a/1 a/b/c/hard; touch -d '2020-01-02 03:04:05' a/1
chmod 4750 a/b/2; chown 1:2 a/b/2; chmod 1777 d
ls -lR a d | sed 's/ [A-Z][a-z][a-z] .* / DATE /'
stat -c '%n %F %a %u %g %h %s %b' a a/1 a/b/2 a/b/l a/x d
stat -c '%Y %y' a/1
find . | sort; find a -type l | sort; find a -links 2 -type f | sort; find a -newer a/1 -type f | sort; find . -empty | sort
cp -a a copy; ls -lR copy | sed 's/ [A-Z][a-z][a-z] .* / DATE /'; diff -r a/b/c copy/b/c && echo alike
mv a/b d/; mv d/b/2 d/b/renamed; rmdir a; rmdir d/b; rm -r a; ls -1; rm -rf nothing; rm nothing
tar cf t.tar copy; rm -r copy; tar xf t.tar; ls -l copy/b | tail -n +2 | sed 's/ [A-Z][a-z][a-z] .* / DATE /'
cat copy/x; cat copy/b/l; readlink -f copy/b/l; realpath d/../copy; cd d/b/c; pwd; cd -; cd nowhere; pwd
echo >copy; echo x >d/; : >/w/d/./new; cat d/new/; ls d/new/; ls -d d/; mkdir d; mkdir -p d; mkdir n/m; rmdir d
ln -s loop loop; cat loop; ls loop/x; echo y >loop; rm loop; ln copy hard; ln -s x copy/x; ln none y; mv copy copy/b; cp copy z; cp -r copy copy/b
i=0; while [ $i -lt 30 ]; do echo $i >f$i; i=$((i + 1)); done; cat f? f?? | md5sum; echo f*; rm f*
seq 5000 >big; head -c 100 big | tail -c 20; dd if=big bs=7 skip=3 count=2 2>/dev/null; cat <big | cmp - big && echo equal
truncate -s 3 big; cat big; echo; truncate -s 10 big; od -c big; printf Z | dd of=big bs=1 seek=5 conv=notrunc 2>/dev/null; od -c big
exec 3>>log; echo a >&3; echo b >&3; exec 4<log; read x <&4; echo $x; rm log; read y <&4; echo $y; exec 3>&- 4<&-
dd if=/dev/zero of=full bs=64k 2>&1 | head -1; ls -l full | awk '{print $5 < 2097152}'; rm full; df -k /w | awk 'NR == 2 {print $1, $2, $6}'
mkdir m; mount -t tmpfs inner m; echo q >m/q; mv m/q .; cat q; mv m m2; umount m; ls m; umount m; mount -t none x m; mount -t tmpfs x none
grep -E ' /w' /proc/mounts | cut -d ' ' -f 1-3; grep -c . /proc/self/status >/dev/null && echo status; ls -l /proc/self/cwd | sed 's/.*-> //'
tr '\0' ' ' </proc/$$/cmdline; echo; echo piped | cat /proc/self/fd/0; cd /proc/self/fd && cd /w
test -e none; echo $?; test -L a; echo $?; [ d -nt none ]; echo $?; [ q -ef ./q ] && echo same; which ls; type cd
sync; echo "--- end"
[ -e /halt ] && poweroff -f
exit 0
"""


def lines(text):
    return linux_bare.between(text, "--- begin", "--- end")


@pytest.fixture(scope="module")
def on_linux(debian, tmp_path_factory):
    files = {"busybox": (debian / "busybox").read_bytes(), "init": SCRIPT.encode(), "halt": b""}
    return lines(linux_bare.boot(tmp_path_factory.mktemp("linux"), files, "loglevel=0"))


@pytest.mark.parametrize("harts", ["1", "3"])
def test_P5_a_script_on_files_as_on_linux(on_linux, debian, tmp_path, harts):
    root = tmp_path / "root"
    root.mkdir()
    (root / "init").write_text(SCRIPT)
    (root / "init").chmod(0o755)
    subprocess.run(["install", "-m", "755", debian / "busybox", root / "busybox"], check=True)
    result = caisson("exec", "--harts", harts, "--root", str(root), str(root / "busybox"), "sh", "/init")
    assert len(on_linux) > 120
    assert lines(result.text) == on_linux
