import os, sys, time, signal, subprocess
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *
from injector import KILL, Injector
from walls import *
@test(seconds=100)
def zz():
    probe, args = prepare()
    i = Injector(args, os.path.basename(probe[0]))
    number, nth, code = 21, 6, 0
    p = spawn([*i.program, 'report', i.until, 'mxc-lxc', str(number), str(nth), str(code), MXC, *args])
    try:
        p.communicate(timeout=15); print('ended', p.returncode, read('report'))
    except subprocess.TimeoutExpired:
        print(read('report'))
        os.system('ps -ef --forest | grep -v grep | grep -A12 "inject\\|report 57" | cut -c1-120')
        for pid in descendants():
            os.system(f'echo {pid}; cat /proc/{pid}/comm /proc/{pid}/syscall /proc/{pid}/wchan; grep State /proc/{pid}/status; ls -l /proc/{pid}/fd 2>/dev/null| tail -n +2 | cut -c40-')
        p.kill()
    fail('x')
main()
