/* What is known of the host, and grants from the environment. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  getAvailableBackends,
  getPlatformSupport,
  policy,
  probe,
  run,
} from 'mxc-sandbox';
import { code, folder } from './help.mjs';

const { filesystem } = policy;

test('this host is fit', () => {
  const support = getPlatformSupport();

  assert.equal(support.isSupported, true, support.reason);
  assert.equal(support.availableMethods[0], 'native');
  support.availableMethods.length = 0;
  assert.equal(getPlatformSupport().availableMethods[0], 'native');
});

test('without mxc it is not', () => {
  const support = getPlatformSupport({ executable: '/no/such/mxc' });

  assert.equal(support.isSupported, false);
  assert.match(support.reason, /cannot start/);
  assert.throws(
    () => getAvailableBackends({ executable: '/no/such/mxc' }),
    code('backend_unavailable'),
  );
});

test('backends', () => {
  const [native] = getAvailableBackends();

  assert.equal(native.backend, 'native');
  assert.equal(native.tier, 'process');
  assert.ok(native.capabilities.includes('filesystemDeniedPaths'));
  assert.ok(Array.isArray(native.warnings));
});

test('which limits can be held', () => {
  const { limits, uid } = probe();

  assert.equal(uid, process.getuid());
  assert.ok(limits.find((l) => l.limit === 'openFiles' && l.state === 'ok'));
});

test('an unusable backend is not offered, and is told why', () => {
  const dir = folder();
  const executable = path.join(dir, 'mxc');
  const real = probe();
  const row = { ...real.backends[0], name: 'seatbelt', tier: 'kernel' };
  const answer = {
    ...real,
    backends: [
      ...real.backends,
      { ...row, state: 'missing', cause: 'no sand', remedy: 'install it' },
      { ...row, name: 'microvm', tier: 'vm', enforces: ['filesystem'] },
    ],
  };

  writeFileSync(path.join(dir, 'answer'), JSON.stringify(answer));
  writeFileSync(executable, `#!/bin/sh\ncat '${dir}/answer'\n`, {
    mode: 0o755,
  });

  const all = getAvailableBackends({ executable });
  const support = getPlatformSupport({ executable });

  assert.ok(all.every((b) => b.backend !== 'seatbelt'));
  assert.deepEqual(
    all.filter((b) => b.tier === 'vm').map((b) => [b.backend, b.capabilities]),
    [['microvm', ['filesystemDeniedPaths']]],
  );
  assert.deepEqual(
    support.availableMethods,
    all.map((b) => b.backend),
  );
  assert.equal(support.unavailableReasons.seatbelt, 'no sand (install it)');
});

test('probe, with a request and without', () => {
  const host = probe();

  assert.equal(host.ready, true);
  assert.ok(host.checks.length > 10);
  assert.equal(host.error, undefined);
  assert.equal(probe({ command: 'true' }).error, undefined);
  assert.match(
    probe({ command: 'x', containment: { type: 'seatbelt' } }).error,
    /not available/,
  );
});

test('tools of PATH and of known variables', () => {
  const dir = folder();
  const at = (name) => path.join(dir, name);

  mkdirSync(at('bin'));
  mkdirSync(at('go'));
  writeFileSync(at('file'), '');

  const got = filesystem.getAvailableToolsPolicy({
    PATH: `${at('bin')}:/usr/bin:/bin:${at('none')}:${at('bin')}/:${at('file')}::/`,
    GOROOT: at('go'),
    OTHER: at('go'),
  });

  assert.deepEqual(got.readonlyPaths, [at('bin'), at('go')]);
  assert.deepEqual(got.readwritePaths, []);
});

test('home and temporary files', () => {
  const dir = folder();

  mkdirSync(path.join(dir, '.local/bin'), { recursive: true });
  assert.deepEqual(filesystem.getUserProfilePolicy({ HOME: dir }), {
    readonlyPaths: [path.join(dir, '.local/bin')],
    readwritePaths: [],
  });
  assert.deepEqual(filesystem.getUserProfilePolicy({}), {
    readonlyPaths: [],
    readwritePaths: [],
  });
  assert.deepEqual(
    filesystem.getTemporaryFilesPolicy({ TMPDIR: dir }).readwritePaths,
    [dir],
  );
  assert.deepEqual(filesystem.getTemporaryFilesPolicy({}).readwritePaths, [
    '/tmp',
  ]);
});

test('a tool of PATH runs with the grant', async () => {
  const dir = folder();

  writeFileSync(path.join(dir, 'tool'), '#!/bin/sh\necho ran\n', {
    mode: 0o755,
  });

  const r = await run({
    command: [path.join(dir, 'tool')],
    filesystem: filesystem.getAvailableToolsPolicy({ PATH: dir }),
  });

  assert.equal(r.stdout, 'ran\n');
});
