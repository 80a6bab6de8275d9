#!/usr/bin/env python3
"""Mounts that the host makes while the sandbox runs (B16): what appears below
a granted directory is not granted along."""

import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + '/../lib')
from tap import *  # noqa: E402,F403

# A mount namespace where ./w is a mount that hands its changes on; argv runs
# in it, and when it is up, the host mounts something on ./w/d.
HOST = '''
mount --bind w w
mount --make-shared w
"$@" &
until [ -e w/up ]; do sleep 0.01; done
mount -t tmpfs t w/d
echo SECRET >w/d/canary
touch w/go
wait $!
exit
'''
LOOK = '''
open("w/up", "w").close()
end = time.monotonic() + 20
while not os.path.exists("w/go"):
    if time.monotonic() > end:
        sys.exit("no word from the host")
    time.sleep(0.01)
print(open("w/d/canary").read())
'''


def beside_a_mount(*argv):
    shutil.rmtree('w', ignore_errors=True)
    os.makedirs('w/d')
    return run([*own_mounts(HOST), *argv])


@cases({'from the mount itself': 'w', 'from above it': '.'})
def b16_a_later_mount_is_not_granted(grant):
    code = f'os.chdir({os.getcwd()!r})\n' + LOOK
    r = beside_a_mount(*pyprobe(code))
    check(r.done and 'SECRET' in r.out, f'control: {r}')
    r = beside_a_mount(MXC, *mxc_args(pyprobe(code), rw=grant))
    eq(r.refused, 'ENOENT', str(r))
    lacks(r.out, 'SECRET')


main()
