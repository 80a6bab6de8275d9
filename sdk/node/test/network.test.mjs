/* Refusals and events of the network, ports of the loopback. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { getAvailableBackends, run, spawn } from 'mxc-sandbox';
import { eventually, sleep } from './help.mjs';

const able = getAvailableBackends()[0]?.capabilities.includes('hostNames');
const skip = able ? false : 'this host cannot set up the network';
const PYTHON = '/usr/bin/python3';
const dial = (address, port) => [
  PYTHON,
  '-c',
  `import socket
try: print(socket.create_connection(("${address}", ${port}), 5).recv(99))
except OSError as e: print(e)`,
];
const onlyHost = { egress: { allow: [{ to: [{ host: 'allowed.example' }] }] } };

test('a refusal is told', { skip }, async () => {
  const r = await run({
    command: ['getent', 'hosts', 'other.example'],
    network: onlyHost,
  });

  assert.notEqual(r.exitCode, 0);
  assert.ok(r.denials.length >= 1);

  const [denial] = r.denials;

  assert.equal(denial.event, 'denied');
  assert.equal(denial.what, 'query');
  assert.equal(denial.name, 'other.example');
  assert.ok(denial.count >= 1);
  assert.match(denial.message, /no rule allows/);
  assert.equal(denial.hint, '--allow-host other.example');
});

test('events of a run', { skip }, async () => {
  const r = await run(
    { command: dial('192.0.2.1', 9), network: onlyHost },
    { events: true },
  );
  const [started, event, exited] = r.events;

  assert.equal(started.event, 'started');
  assert.equal(started.command, '/bin/sh');
  assert.equal(exited.event, 'exited');
  assert.deepEqual([started.seq, event.seq, exited.seq], [1, 2, 3]);
  assert.equal(exited.denials, 1);
  assert.equal(event.event, 'denied');
  assert.equal(event.what, 'connect');
  assert.equal(event.address, '192.0.2.1');
  assert.equal(event.port, 9);
  assert.ok(Math.abs(event.timeMs - Date.now()) < 60_000);
  assert.equal(r.denials[0].address, '192.0.2.1');
});

test('events as they come, and a port of the sandbox', { skip }, async () => {
  const p = await spawn(
    {
      command: [
        PYTHON,
        '-c',
        `import socket
s = socket.create_server(("127.0.0.1", 8080))
while True:
    c = s.accept()[0]; c.sendall(b"from inside"); c.close()`,
      ],
      network: {
        ingress: { hostLoopback: 'allow', ports: [{ guest: 8080 }] },
      },
    },
    { events: true },
  );

  for await (const event of p.events) {
    if (event.event !== 'published') continue;
    assert.equal(event.guest, 8080);

    const said = await eventually(async () => {
      const c = net.connect(event.host, '127.0.0.1');
      let got = '';

      c.on('data', (chunk) => (got += chunk)).on('error', () => {});
      await new Promise((done) => c.once('close', done));
      return got;
    }, 'the server answers');

    assert.equal(said, 'from inside');
    break;
  }
  p.kill();
  await p.wait();
  assert.equal(p.published[0]?.guest, 8080);
});

test('a service of the host', { skip }, async () => {
  const server = net.createServer((c) => c.end('from outside'));

  await once(server.listen(0, '127.0.0.1'), 'listening');

  const { port } = server.address();
  const r = await run({
    command: dial('127.0.0.1', port),
    network: {
      ingress: { hostLoopback: 'allow', hostServices: [{ host: port }] },
    },
  });

  server.close();
  assert.match(r.stdout, /from outside/);
});

test('the built-in proxy', { skip }, async () => {
  const r = await run({
    command: 'echo "$HTTP_PROXY"',
    network: { ...onlyHost, runtimeConfig: { filteringProxy: true } },
  });

  assert.equal(r.stdout, 'http://127.0.0.1:3128\n');
});

test('what a file was refused', async () => {
  const r = await run(
    { command: ['cat', import.meta.filename ?? process.argv[1]] },
    { reportDenials: true, correlationId: 'job 7' },
  );
  const [denial] = r.denials.filter((d) => d.what === 'file');

  assert.equal(denial.reason, 'not_granted');
  assert.equal(denial.hint, `--ro ${denial.resolved}`);
  assert.equal(denial.allowable, true);
});

test('what was used of a grant', async () => {
  const file = import.meta.filename ?? process.argv[1];
  const r = await run(
    {
      command: ['cat', file, file],
      filesystem: { readonlyPaths: [file] },
    },
    { reportAccesses: true },
  );

  assert.deepEqual(
    r.accesses.map((a) => [a.what, a.operation, a.resolved, a.count]),
    [['file', 'read', file, 2]],
  );
  assert.equal(r.accessesNotListed, 0);
});

test('no network, no events of it', async () => {
  const r = await run(
    { command: dial('192.0.2.1', 9) },
    { events: true },
  );

  assert.match(r.stdout, /unreachable/);
  assert.deepEqual(r.events.map((e) => e.event), ['started', 'exited']);
});

test('events that nobody reads hold nothing up', { skip }, async () => {
  const p = await spawn(
    { command: dial('192.0.2.1', 9), network: onlyHost },
    { events: true },
  );

  assert.equal((await p.wait()).exitCode, 0);
  assert.equal(p.denials.length, 1);
  await sleep(20);

  const late = [];

  for await (const event of p.events) late.push(event.event);
  assert.deepEqual(late, ['started', 'denied', 'exited']);
});
