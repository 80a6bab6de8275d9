/* Sessions: one sandbox for many commands. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import * as mxc from 'mxc-sandbox';
import {
  code,
  descriptors,
  eventually,
  folder,
  runtime,
  text,
} from './help.mjs';

let shared;

/* Before the folder that it is kept in goes. */
after(() => shared.deprovision({ graceMs: 0 }));
runtime();

const { Session } = mxc;
const STRANGER = `native:${'0'.repeat(32)}`;
const work = folder();
const grant = { filesystem: { readwritePaths: [work] } };

shared = await Session.provision(grant);
await shared.start();

test('a life', async () => {
  const s = await Session.provision({
    ...grant,
    idleTimeoutMs: 60_000,
    maxAgeMs: 3_600_000,
    workingDirectory: work,
  });

  assert.match(s.id, /^native:[0-9a-f]{32}$/);
  assert.deepEqual(s.warnings, []);
  await assert.rejects(s.run({ command: 'true' }), code('not_started'));
  await assert.rejects(s.stop(), code('already_stopped'));
  assert.equal(await s.start(), s);
  await assert.rejects(s.start(), code('already_started'));

  const r = await s.run({
    command: 'echo out; echo err >&2; echo made >file; exit 3',
  });

  assert.deepEqual(
    [r.exitCode, r.stdout, r.stderr, r.outcome],
    [3, 'out\n', 'err\n', 'exited'],
  );
  assert.equal(readFileSync(path.join(work, 'file'), 'utf8'), 'made\n');

  const info = await s.inspect();

  assert.deepEqual(
    [info.state, info.idleTimeoutMs, info.maxAgeMs],
    ['started', 60_000, 3_600_000],
  );
  assert.ok((await Session.list()).some((one) => one.sandboxId === s.id));
  await s.pause();
  await assert.rejects(
    s.run({ command: 'true' }),
    code('backend_error', { message: /paused/ }),
  );
  await s.resume();
  await s.stop({ graceMs: 0 });
  assert.equal((await s.inspect()).state, 'provisioned');
  await Session.open(s.id).start();
  assert.equal((await s.run({ command: ['cat', 'file'] })).stdout, 'made\n');
  await s.deprovision();
  for (const call of ['start', 'stop', 'deprovision', 'inspect', 'pause'])
    await assert.rejects(s[call](), code('stale_id'));
  await assert.rejects(s.run({ command: 'true' }), code('stale_id'));
  await s[Symbol.asyncDispose]();
});

test('await using: what the block leaves is removed', async () => {
  const s = await Session.provision();

  await s.start();
  await s[Symbol.asyncDispose]();
  await assert.rejects(s.start(), code('stale_id'));
});

test('what is refused', async () => {
  await assert.rejects(
    Session.provision({ filesystem: { readonlyPaths: ['/no/such'] } }),
    code('policy_validation', {
      details: { where: 'filesystem.readonlyPaths[0]' },
    }),
  );
  await assert.rejects(
    Session.provision({ command: 'true' }),
    code('malformed_request'),
  );
  await assert.rejects(
    Session.provision({ maxAgeMs: 0 }),
    code('malformed_request', { details: { where: 'maxAgeMs' } }),
  );
  for (const name of [
    'reportDenials',
    'reportAccesses',
    'verify',
    'correlationId',
    'events',
  ]) {
    const told = code('malformed_request', { message: new RegExp(name) });
    const options = { [name]: true };

    await assert.rejects(Session.provision({}, options), told);
    await assert.rejects(shared.run({ command: 'true' }, options), told);
    await assert.rejects(shared.spawn({ command: 'true' }, options), told);
    await assert.rejects(
      shared.spawnWithPty({ command: 'true' }, options),
      told,
    );
  }
  for (const [id, wanted] of [
    ['abc', 'malformed_id'],
    ['native:x', 'malformed_id'],
    ['gvisor:0', 'unsupported_containment'],
    [STRANGER, 'stale_id'],
  ])
    await assert.rejects(Session.open(id).start(), code(wanted));
  for (const id of ['', '-x', undefined, 'a\0b'])
    assert.throws(() => Session.open(id), code('malformed_id'));
  for (const bad of [{}, { command: '' }, { command: 'x', network: 'all' },
    { command: 'x', limits: { ram: 1 } }, { command: 'x', user: 'root' }])
    await assert.rejects(shared.run(bad), code('malformed_request'));
  await assert.rejects(
    shared.run({ command: 'true' }, { events: true }),
    code('malformed_request'),
  );
});

test('less for one command', async () => {
  const limited = await shared.run({
    command: 'ulimit -n',
    limits: { files: 17 },
  });
  const python = 'python3 -c "import socket; socket.socket()"';

  assert.equal(limited.stdout, '17\n');
  assert.equal((await shared.run({ command: python })).exitCode, 0);
  assert.equal(
    (await shared.run({ command: python, network: 'none' })).exitCode,
    1,
  );
  assert.notEqual(
    (
      await shared.run({
        command: ['touch', `${work}/refused`],
        filesystem: { readonlyPaths: [work] },
      })
    ).exitCode,
    0,
  );
  assert.ok(!existsSync(`${work}/refused`));

  const late = await shared.run({ command: 'sleep 60', timeoutMs: 200 });

  assert.deepEqual([late.timedOut, late.exitCode], [true, -1]);

  const env = await shared.run({
    command: ['/usr/bin/env'],
    environment: { A: '1' },
  });

  assert.deepEqual(env.stdout.split('\n').sort(), ['', 'A=1', 'PWD=/home/user']);

  const both = await shared.run({
    command: ['/usr/bin/env'],
    environment: { A: '1' },
    inheritDefaultEnvironment: true,
  });

  assert.match(both.stdout, /HOME=/);
  assert.match(both.stdout, /A=1/);
});

test('input, bytes, and what goes on holds nothing up', async () => {
  const fed = await shared.run({ command: 'cat' }, { input: 'fed' });
  const bytes = await shared.run(
    { command: "printf '\\377'" },
    { encoding: 'buffer' },
  );
  const left = await shared.run({
    command: 'sleep 60 & echo said; head -c 200000 /dev/zero; exit 4',
  });

  assert.equal(fed.stdout, 'fed');
  assert.deepEqual([...bytes.stdout], [255]);
  assert.deepEqual([left.exitCode, left.stdout.length], [4, 200005]);
  assert.ok((await shared.processes()).some((p) => p.name === 'sleep'));
});

test('streams, signals, a terminal', async () => {
  const p = await shared.spawn({ command: 'echo up; cat; exit 4' });

  p.standardInput.end('fed');
  assert.equal(await text(p.standardOutput), 'up\nfed');
  assert.equal((await p.wait()).exitCode, 4);
  p.dispose();

  const told = await shared.spawn({
    command: "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done",
    environment: { TOKEN: 'sesame' },
    inheritDefaultEnvironment: true,
  });

  await new Promise((done) => told.standardOutput.once('data', done));
  assert.ok(!readFileSync(`/proc/${told.id}/cmdline`, 'utf8').includes('sesame'));
  told.signal('SIGUSR1');
  assert.equal((await told.wait()).exitCode, 9);
  told.dispose();

  const killed = await shared.spawn({ command: 'sleep 60' });

  killed.kill();
  assert.equal((await killed.wait()).outcome, 'killed');
  killed.dispose();

  const t = await shared.spawnWithPty(
    { command: 'stty size; read x; stty size' },
    { size: { rows: 30, columns: 90 } },
  );
  let shown = '';

  t.output.on('data', (chunk) => {
    shown += chunk;
  });
  await eventually(() => shown.includes('30 90'), 'its size');
  t.resize({ rows: 20, columns: 60 });
  t.input.write('x\r');
  await t.wait();
  await eventually(() => shown.includes('20 60'), 'its new size');
  t.dispose();
});

test('an AbortSignal kills the command, and not the session', async () => {
  await assert.rejects(
    shared.run(
      { command: 'exec sleep 61' },
      { signal: AbortSignal.timeout(300) },
    ),
    { name: 'AbortError' },
  );
  await eventually(
    async () => !(await shared.inspect()).commands.length,
    'the command is gone',
  );
  assert.equal((await shared.run({ command: 'exit 5' })).exitCode, 5);
});

test('an aborted provision leaves nothing', async () => {
  const count = async () => (await Session.list()).length;
  const before = await count();
  let aborted = 0;

  for (let ms = 0; ms < 20; ms += 0.5) {
    const stop = new AbortController();

    setTimeout(() => stop.abort(), ms);
    try {
      await (
        await Session.provision({}, { signal: stop.signal })
      ).deprovision();
    } catch (error) {
      assert.equal(error.name, 'AbortError');
      aborted++;
    }
  }
  assert.ok(aborted > 0);
  assert.equal(await count(), before);
  await assert.rejects(
    Session.provision({}, { signal: AbortSignal.abort() }),
    { name: 'AbortError' },
  );
});

test('what it keeps', async () => {
  const s = await Session.provision({ layer: 'private' });

  await s.start();
  await s.run({ command: 'echo kept >/tmp/file' });
  await s.stop({ graceMs: 0 });
  assert.equal((await s.inspect()).layer, 'private');
  await s.start();
  assert.equal((await s.run({ command: 'cat /tmp/file' })).stdout, 'kept\n');
  await s.pause();
  assert.match((await s.inspect()).pausedBy, /^(freezer|signals)$/);
  await s.deprovision({ graceMs: 0 });
  await assert.rejects(
    Session.provision({ layer: 'all' }),
    code('malformed_request', { details: { where: 'session.layer' } }),
  );
});

test('a list that cannot be made is an error', async () => {
  const kept = process.env.XDG_RUNTIME_DIR;
  const open = folder();

  chmodSync(open, 0o777);
  process.env.XDG_RUNTIME_DIR = open;
  try {
    await assert.rejects(Session.list(), code('backend_unavailable'));
  } finally {
    process.env.XDG_RUNTIME_DIR = kept;
  }
});

test('many at once, and nothing is left open', async () => {
  const before = descriptors();
  const codes = await Promise.all(
    Array.from({ length: 8 }, (_, n) =>
      shared.run({ command: `exit ${n}` }).then((r) => r.exitCode),
    ),
  );

  assert.deepEqual(codes, [0, 1, 2, 3, 4, 5, 6, 7]);
  await eventually(() => descriptors() <= before, 'descriptors');
});
