"""Waiting for several files and for time: tests/linux/polling.c and timers.c on the monolith (P5)."""
import re

import pytest

import linux_programs
from machines import caisson

POLLING = """\
poll 0 select 0 switches few
1 in 
1 out 
1 nval 
0 
1 err 
1 hup 
-1 Interrupted system call
1 alarms, ppoll -1, 2 alarms, blocked 1
after stops: 0 in time
-1 Resource temporarily unavailable
1 in 
8 several
"""

TIMERS = """\
interval 2000
alarm: 1 left
-1 Invalid argument
-1 Invalid argument
code -2 value 4711
period 1000000
-1 Invalid argument
in a thread: 77
same second: 1
resolution 1
-1 Invalid argument
0
Invalid argument
0 later: 1
-1 Interrupted system call, rest 99
child 3 used 1, known 1
faults 1 size 1
times 1 1
thread 1
sysinfo 0 1
"""


@pytest.mark.parametrize("library", linux_programs.LIBRARIES)
@pytest.mark.parametrize("name, text", [("polling", POLLING), ("timers", TIMERS)])
def test_P5_polls_and_timers(name, text, library):
    result = caisson("exec", "--icount", linux_programs.build(name, library))
    assert (result.text, result.status) == (text, 0), result.err


def test_P5_tools_that_need_time():
    from caisson import fetch

    script = ("/busybox mkdir /bin; /busybox --install -s /bin; export PATH=/bin; time sleep 2; timeout 1 sleep 100; echo $?; "
              "timeout 100 echo fast; usleep 1000; time true; uptime | grep -c load; timeout 1 watch -t -n 1 echo seen | grep -c seen; "
              "date -s 2020-01-01")
    result = caisson("exec", "--icount", str(fetch.debian() / "busybox"), "sh", "-c", script)
    assert result.text == "143\nfast\n1\n1\nWed Jan  1 00:00:00 UTC 2020\n", result.err
    first, second = re.findall(r"real\s+(\d+)m ([\d.]+)s", result.err)
    assert int(first[0]) * 60 + float(first[1]) >= 2
    assert float(second[1]) < 60 and second != first  # its own time, not that since the beginning
    assert "date: can't set date: Operation not permitted" in result.err
