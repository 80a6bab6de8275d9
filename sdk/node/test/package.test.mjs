/* What would be published, and the examples of the README. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { getAvailableBackends } from 'mxc-sandbox';
import { folder } from './help.mjs';

const HERE = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const read = (name) => readFileSync(path.join(HERE, name), 'utf8');

test('the package holds its code, its types and nothing else', (t) => {
  const r = spawnSync('npm', ['pack', '--dry-run', '--json', '--offline'], {
    cwd: HERE,
    encoding: 'utf8',
    env: { ...process.env, npm_config_cache: folder() },
  });

  if (r.error) return t.skip(`no npm: ${r.error.message}`);
  assert.equal(r.status, 0, r.stderr);

  const [pack] = JSON.parse(r.stdout);
  const names = pack.files.map((f) => f.path).sort();
  const code = names.filter((n) => /^dist\/[\w/-]+\.js$/.test(n));

  assert.equal(pack.name, 'mxc-sandbox');
  assert.deepEqual(
    names.filter((n) => !n.startsWith('dist/')),
    ['LICENSE', 'README.md', 'package.json'],
  );
  assert.deepEqual(
    names.filter((n) => n.startsWith('dist/')),
    [...code, ...code.map((n) => n.replace(/\.js$/, '.d.ts'))].sort(),
  );
  assert.ok(pack.unpackedSize < 200_000, `${pack.unpackedSize} bytes`);
});

test('nothing comes along and nothing runs on install', () => {
  const p = JSON.parse(read('package.json'));

  for (const key of [
    'dependencies',
    'optionalDependencies',
    'peerDependencies',
    'bin',
  ])
    assert.ok(!(key in p), key);
  for (const name of Object.keys(p.scripts))
    assert.ok(['build', 'test'].includes(name), name);
  assert.equal(p.type, 'module');
});

test('types and code name the same', async () => {
  const types = read('dist/index.d.ts');
  const api = await import('mxc-sandbox');

  assert.deepEqual(
    Object.keys(await import('mxc-sandbox/v1')),
    Object.keys(api),
  );
  for (const name of ['run', 'spawn', 'spawnWithPty', 'MxcError'])
    assert.match(types, new RegExp(`\\b${name}\\b`));
});

test('found beside the package, and not by chance', () => {
  const dir = folder();
  const at = path.join(dir, 'sdk/node');
  const script = `import { run } from 'file://${at}/dist/index.js';
    run({ command: 'x' }).then(() => console.log('ran'),
      (e) => console.log(e.code, e.message));`;
  const go = () =>
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env: { PATH: 'bin:.', HOME: dir },
      cwd: dir,
    });

  cpSync(path.join(HERE, 'dist'), path.join(at, 'dist'), { recursive: true });
  cpSync(path.join(HERE, 'package.json'), path.join(at, 'package.json'));
  mkdirSync(path.join(dir, 'bin'));
  writeFileSync(path.join(dir, 'bin/mxc'), '#!/bin/sh\nexit 9\n', {
    mode: 0o755,
  });
  assert.match(go(), /^backend_unavailable .*neither beside/);
  mkdirSync(path.join(dir, 'libexec/mxc'), { recursive: true });
  symlinkSync('/bin/true', path.join(dir, 'libexec/mxc/mxc-launch'));
  assert.match(go(), /^backend_error .*mxc ended with 9/);
});

/* ```js blocks, each followed by what it prints. */
const examples = [
  ...read('README.md').matchAll(/```js\n(.*?)```(?:\s+```text\n(.*?)```)?/gs),
];

const hasNetwork = getAvailableBackends()[0]?.capabilities.includes('hostNames');

test('the README has examples', () => {
  assert.ok(examples.length >= 6, `${examples.length} of them`);
});

for (const [i, [, source, prints]] of examples.entries()) {
  test(`README, example ${i + 1}`, (t) => {
    if (/^ *network:/m.test(source) && !hasNetwork)
      return t.skip('this host cannot set up the network');

    const dir = folder();
    const file = path.join(dir, 'example.mjs');

    /* As a project that has the package installed. */
    mkdirSync(path.join(dir, 'node_modules'));
    symlinkSync(HERE, path.join(dir, 'node_modules/mxc-sandbox'));
    writeFileSync(file, source);

    const r = spawnSync(process.execPath, [file], {
      cwd: dir,
      encoding: 'utf8',
      env: { ...process.env, XDG_RUNTIME_DIR: folder(), TMPDIR: dir },
      timeout: 60_000,
    });

    assert.equal(r.status, 0, r.stderr);
    /* A terminal ends its lines with both. */
    if (prints !== undefined)
      assert.equal(r.stdout.replaceAll('\r\n', '\n'), prints);
  });
}
