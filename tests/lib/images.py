"""images.py - a store of images of the test's own, and small roots for it.

Others' store is below HOME, which the harness gives to each test.  Root's is
/var/lib/mxc/images: each test gets a mount namespace in which that is the same
directory below HOME.
"""

import ctypes
import io
import os
import pathlib
import shlex
import shutil
import tarfile
import tap

BUSYBOX = '/bin/busybox'
APPLETS = ('sh ls cat id echo sleep true false env pwd stat mkdir rm cp mv ln '
           'wc head tail touch chmod mount umount ps kill seq dd sync grep '
           'mknod hostname tty test [ yes readlink nc').split()
_libc = ctypes.CDLL(None, use_errno=True)


def private_store():
    """Once in a test file: every test begins with an empty store."""
    if _begin not in tap.before_each:
        tap.before_each.append(_begin)


def _begin():
    os.environ.pop('XDG_DATA_HOME', None)
    if not tap.IS_ROOT:
        return
    os.makedirs(_share())
    MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
    for made in (_libc.unshare(0x20000),   # CLONE_NEWNS
                 _libc.mount(b'none', b'/', None, MS_REC | MS_PRIVATE, None),
                 _libc.mount(os.fsencode(_share()), b'/var/lib', None, MS_BIND,
                             None)):
        if made != 0:
            tap.skip('no mount namespace for a store of its own: '
                     + os.strerror(ctypes.get_errno()))


def _share():
    return os.path.join(os.environ['HOME'], '.local/share')


def store():
    """The path of this test's store."""
    return (pathlib.Path('/var/lib/mxc/images') if tap.IS_ROOT else
            pathlib.Path(_share(), 'mxc/images'))


def for_root():
    """Shell: this store is that of who is root in a namespace of its own, also
    where the script has mounted something on /var/lib."""
    return (f'mkdir -p /var/lib/mxc 2>/dev/null || {{\n'
            f'mount -t tmpfs none /var/lib\nmkdir /var/lib/mxc\n}}\n'
            f'mount --bind {shlex.quote(_share())}/mxc /var/lib/mxc\n')


def root(name='root', files=()):
    """A directory with busybox as all its programs, and these files."""
    if not os.path.exists(BUSYBOX):
        tap.skip(f'no {BUSYBOX} (Debian: busybox-static)')
    top = pathlib.Path(name).absolute()
    for d in ('bin', 'etc', 'tmp', 'root', 'home', 'proc', 'dev'):
        (top / d).mkdir(parents=True)
    (top / 'tmp').chmod(0o1777)
    shutil.copy(BUSYBOX, top / 'bin/busybox')
    for applet in APPLETS:
        (top / 'bin' / applet).symlink_to('busybox')
    (top / 'etc/passwd').write_text('root:x:0:0:root:/root:/bin/sh\n')
    for path, text in dict(files).items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_text(text)
    return top


# What native shows of the host, as grants over an image without programs.
BASE = [p for p in '/usr/bin /usr/sbin /usr/lib /usr/lib32 /usr/lib64 '
        '/usr/libexec /usr/share /usr/include /etc/alternatives '
        '/etc/ssl/certs /etc/ld.so.cache /etc/services /etc/protocols '
        '/etc/mime.types'.split() if os.path.exists(p)]
SUITE = 'suite/1'


def suite_image():
    """An image in which the host's programs, granted, are where they are on
    the host: what the tests of every backend run is of the host."""
    top = pathlib.Path('suite-root').absolute()
    (top / 'etc').mkdir(parents=True)
    for link in ('bin', 'sbin', 'lib', 'lib32', 'lib64', 'etc/localtime',
                 'etc/os-release'):
        if os.path.islink('/' + link):
            (top / link).symlink_to(os.readlink('/' + link))
    tap.mxc('image', 'import', SUITE, top).ok()
    shutil.rmtree(top)


def serve(backend):
    """Each test of this file may use the backend, with that image."""
    private_store()
    tap.before_each.append(suite_image)
    tap.use_backend.more[backend] = suite_options()


def base_image(paths):
    """From now on in this test: an image that has copies of these, and no
    grant of the host's programs."""
    top = pathlib.Path('base-root').absolute()
    for path in paths:
        (top / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if os.path.isdir(path) else shutil.copy)(
            path, top / path[1:])
    tap.mxc('image', 'import', 'base/1', top).ok()
    shutil.rmtree(top)
    tap.use_backend.more[tap.use_backend.name] = ['--image', 'base/1']


def sections():
    """The same as suite_options, in a request."""
    distribution, release = SUITE.split('/')
    return {'lxc': {'distribution': distribution, 'release': release},
            'filesystem': {'readonlyPaths': BASE}}


def suite_options():
    return ['--image', SUITE, *(w for p in BASE for w in ('--ro', p))]


class Tar:
    """An archive made entry by entry, as nobody's tar would."""

    def __init__(self, name='hostile.tar', mode='w'):
        self.path = pathlib.Path(name).absolute()
        self.tar = tarfile.open(self.path, mode, format=tarfile.PAX_FORMAT)

    def add(self, name, type=tarfile.REGTYPE, data=b'', **more):
        info = tarfile.TarInfo(name)
        info.type, info.size = type, len(data)
        info.mode = 0o755 if type == tarfile.DIRTYPE else 0o644
        for key, value in more.items():
            setattr(info, key, value)
        self.tar.addfile(info, io.BytesIO(data))
        return self

    def dir(self, name, **more):
        return self.add(name, tarfile.DIRTYPE, **more)

    def symlink(self, name, target):
        return self.add(name, tarfile.SYMTYPE, linkname=str(target))

    def link(self, name, target):
        return self.add(name, tarfile.LNKTYPE, linkname=str(target))

    def done(self):
        self.tar.close()
        return self.path
