"""net_http.py - what the test internet serves over HTTP, on every name.

    /                 who asked whom: "HOST at ADDRESS:PORT\\n"
    /bytes/N          the first N bytes of pattern(), with a length
    /chunked/N        the same in chunks
    /slow/MS          the answer after so many milliseconds
    /events/N         N server-sent events
    /upload           POST, PUT: "BYTES SHA256\\n" of the body
    /echo             POST: the body
    /headers          the request's head as it came
    /redirect?to=URL  302; with &status=N another
    /ws               a websocket that says everything back
    /git/demo.git     git http-backend
    /simple/, /files/ a Python package index with one wheel, demo 1.0
    /npm/demo         an npm registry with one package, demo 1.0.0
    /latest/...       what a metadata service would say
"""

import base64
import contextlib
import gzip
import hashlib
import http.server
import io
import json
import os
import struct
import subprocess
import tarfile
import threading
import time
import urllib.parse
import zipfile

GIT_DIR = '/srv/git'
SECRET = 'secret-of-the-metadata-service'
_lock = threading.Lock()


def pattern(size, start=0):
    """Deterministic bytes that do not repeat with any power of two."""
    block = bytes(range(251)) * 261
    start %= 251
    out = block[start:]
    while len(out) < size:
        out += block * (1 + (size - len(out)) // len(block))
    return out[:size]


def wheel():
    """demo-1.0-py3-none-any.whl"""
    out = io.BytesIO()
    files = {
        'demo.py': 'print("demo from pip")\n',
        'demo-1.0.dist-info/METADATA':
            'Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n',
        'demo-1.0.dist-info/WHEEL':
            'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\n'
            'Tag: py3-none-any\n'}
    files['demo-1.0.dist-info/RECORD'] = ''.join(
        f'{name},,\n' for name in [*files, 'demo-1.0.dist-info/RECORD'])
    with zipfile.ZipFile(out, 'w') as z:
        for name, text in files.items():
            z.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def npm_package():
    out = io.BytesIO()
    files = {'package.json': '{"name":"demo","version":"1.0.0"}\n',
             'index.js': 'module.exports = "demo from npm"\n'}
    # Without a time in it: what is asked for twice is the same twice.
    with gzip.GzipFile(fileobj=out, mode='wb', mtime=0) as z, \
            tarfile.open(fileobj=z, mode='w') as t:
        for name, text in files.items():
            info = tarfile.TarInfo('package/' + name)
            info.size = len(text)
            t.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


def make_git():
    """A bare repository with one commit; made when first asked for."""
    with _lock:
        repo = f'{GIT_DIR}/demo.git'
        if os.path.isdir(repo):
            return
        new = f'{GIT_DIR}/new.git'
        run = dict(check=True, stdout=subprocess.DEVNULL)
        subprocess.run(['git', 'init', '-q', '--bare', '-b', 'main', new],
                       **run)
        subprocess.run(['git', 'config', '-f', f'{new}/config',
                        'http.receivepack', 'true'], **run)
        text = b'hello from git\n'
        subprocess.run(
            ['git', '--git-dir', new, 'fast-import', '--quiet'],
            input=b'commit refs/heads/main\n'
                  b'committer demo <demo@example.test> 1700000000 +0000\n'
                  b'data 5\nfirst\nM 644 inline README\n'
                  b'data %d\n%s\n' % (len(text), text), **run)
        # For the ssh server, which runs as somebody else when root does this.
        subprocess.run(['chmod', '-R', 'a+rX', new], **run)
        os.rename(new, repo)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    server_version = 'test'
    # Set per connection by make_handler.
    note = sni = tls = to = None
    side = 'internet'

    def log_message(self, *_):
        pass

    def handle_expect_100(self):
        return super().handle_expect_100()

    def body(self):
        if self.headers.get('Transfer-Encoding', '').lower() == 'chunked':
            out = b''
            while size := int(self.rfile.readline().split(b';')[0], 16):
                out += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return out
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def reply(self, data=b'', status=200, kind='text/plain', **more):
        data = data.encode() if isinstance(data, str) else data
        self.send_response(status)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(data)))
        for key, value in more.items():
            self.send_header(key.replace('_', '-'), value)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(data)

    def go(self):
        url = urllib.parse.urlsplit(self.path)
        host = self.headers.get('Host', '')
        self.note(method=self.command, path=self.path, host=host,
                  sni=self.sni, tls=self.tls)
        first = url.path.strip('/').split('/')[0]
        serve = getattr(self, 'get_' + first.replace('-', '_'), None)
        if self.command not in ('GET', 'HEAD') and first not in (
                'upload', 'echo', 'git', 'headers'):
            self.body()
        if not first:
            where = f'[{self.to[0]}]' if ':' in self.to[0] else self.to[0]
            self.reply(f'{host} at {where}:{self.to[1]}\n', side=self.side)
        elif serve:
            serve(url, url.path.strip('/').split('/')[1:])
        else:
            self.reply('not found\n', 404)

    do_GET = do_HEAD = do_POST = do_PUT = do_OPTIONS = do_TRACE = go

    def get_bytes(self, _, rest):
        self.reply(pattern(int(rest[0])), kind='application/octet-stream')

    def get_chunked(self, _, rest):
        left, at = int(rest[0]), 0
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        while left:
            part = pattern(min(left, 50000), at)
            self.wfile.write(b'%x\r\n%s\r\n' % (len(part), part))
            at, left = at + len(part), left - len(part)
        self.wfile.write(b'0\r\n\r\n')

    def get_slow(self, _, rest):
        time.sleep(int(rest[0]) / 1000)
        self.reply('slow\n')

    def get_events(self, _, rest):
        self.send_response(200)
        self.send_header('Content-Type', 'text/event-stream')
        self.send_header('Connection', 'close')
        self.end_headers()
        for i in range(int(rest[0])):
            self.wfile.write(b'data: %d\n\n' % i)
            self.wfile.flush()
        self.close_connection = True

    def get_upload(self, *_):
        data = self.body()
        self.reply(f'{len(data)} {hashlib.sha256(data).hexdigest()}\n')

    def get_echo(self, *_):
        self.reply(self.body())

    def get_headers(self, *_):
        self.body()
        self.reply(f'{self.requestline}\n{self.headers}')

    def get_redirect(self, url, _):
        query = dict(urllib.parse.parse_qsl(url.query))
        self.reply('elsewhere\n', int(query.get('status', 302)),
                   Location=query['to'])

    def get_altsvc(self, url, _):
        self.reply('more ways\n', Alt_Svc=url.query)

    def get_latest(self, *_):
        self.reply(SECRET + '\n')

    # --- package indexes ---

    def get_simple(self, _, rest):
        if rest[:1] == ['demo']:
            digest = hashlib.sha256(wheel()).hexdigest()
            name = 'demo-1.0-py3-none-any.whl'
            self.reply(f'<a href="/files/{name}#sha256={digest}">{name}</a>',
                       kind='text/html')
        else:
            self.reply('no such package\n', 404)

    def get_files(self, *_):
        self.reply(wheel(), kind='application/octet-stream')

    def get_npm(self, _, rest):
        data = npm_package()
        if len(rest) > 1:
            return self.reply(data, kind='application/octet-stream')
        if rest != ['demo']:
            return self.reply('{"error":"not found"}', 404)
        digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
        base = f'{"https" if self.tls else "http"}://{self.headers["Host"]}'
        return self.reply(json.dumps({
            'name': 'demo', 'dist-tags': {'latest': '1.0.0'},
            'versions': {'1.0.0': {
                'name': 'demo', 'version': '1.0.0',
                'dist': {'tarball': f'{base}/npm/demo/-/demo-1.0.0.tgz',
                         'integrity': 'sha512-' + digest}}}}),
            kind='application/json')

    # --- git ---

    def get_git(self, url, rest):
        make_git()
        env = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'),
               'GIT_PROJECT_ROOT': GIT_DIR, 'GIT_HTTP_EXPORT_ALL': '1',
               'PATH_INFO': '/' + '/'.join(rest), 'QUERY_STRING': url.query,
               'REQUEST_METHOD': self.command, 'REMOTE_ADDR': '192.0.2.1',
               'CONTENT_TYPE': self.headers.get('Content-Type', ''),
               'HTTP_CONTENT_ENCODING':
                   self.headers.get('Content-Encoding', ''),
               'GIT_PROTOCOL': self.headers.get('Git-Protocol', ''),
               'GIT_CONFIG_COUNT': '1', 'GIT_CONFIG_VALUE_0': '*',
               'GIT_CONFIG_KEY_0': 'safe.directory'}
        body = self.body()
        if body:
            env['CONTENT_LENGTH'] = str(len(body))
        r = subprocess.run(['git', 'http-backend'], env=env, input=body,
                           stdout=subprocess.PIPE, check=False)
        head, _, data = r.stdout.partition(b'\r\n\r\n')
        head = dict(line.split(': ', 1)
                    for line in head.decode().split('\r\n') if line)
        status = int(head.pop('Status', '200').split()[0])
        kind = head.pop('Content-Type', 'text/plain')
        head.pop('Content-Length', None)
        self.reply(data, status, kind,
                   **{k.replace('-', '_'): v for k, v in head.items()})

    # --- websocket, RFC 6455 ---

    def get_ws(self, *_):
        key = self.headers.get('Sec-WebSocket-Key', '')
        if self.headers.get('Upgrade', '').lower() != 'websocket':
            return self.reply('not a websocket\n', 400)
        proof = hashlib.sha1(
            (key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept',
                         base64.b64encode(proof).decode())
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(struct.error, OSError):
            while True:
                kind, size = struct.unpack('BB', self.rfile.read(2))
                size &= 127
                if size == 126:
                    size, = struct.unpack('>H', self.rfile.read(2))
                elif size == 127:
                    size, = struct.unpack('>Q', self.rfile.read(8))
                mask = self.rfile.read(4)
                data = self.rfile.read(size)
                data = bytes(c ^ mask[i & 3] for i, c in enumerate(data))
                head = bytes([kind]) + (
                    bytes([size]) if size < 126
                    else b'\x7e' + struct.pack('>H', size))
                self.wfile.write(head + data)
                if kind & 15 == 8:
                    return None


class FakeServer:
    """What BaseHTTPRequestHandler wants to know of its server."""
    server_name, server_port = 'test', 0


def serve(sock, peer, side, note, sni=None, tls=False):
    """One connection, until it ends."""
    to = sock.getsockname()[:2]
    kind = type('Bound', (Handler,), dict(
        note=staticmethod(note), sni=sni, tls=tls, to=to, side=side))
    with contextlib.suppress(OSError, ValueError):
        kind(sock, peer, FakeServer())
