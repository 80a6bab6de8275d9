/* Many runs: at one time, and one after another without growth. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { run, spawn } from 'mxc-sandbox';
import { children, descriptors, eventually } from './help.mjs';

setFlagsFromString('--expose-gc');

const collectGarbage = runInNewContext('gc');

test('200 at one time', { timeout: 240_000 }, async () => {
  const before = descriptors();
  const all = await Promise.all(
    Array.from({ length: 200 }, (_, i) =>
      run({ command: `echo ${i}; exit ${i % 100}` }),
    ),
  );

  all.forEach((r, i) => {
    assert.equal(r.stdout, `${i}\n`);
    assert.equal(r.exitCode, i % 100);
  });
  await eventually(() => descriptors() <= before, 'descriptors are closed');
});

test('one signal for many runs, and no warning', async () => {
  const warnings = [];
  const note = (w) => warnings.push(w.name);
  const stop = new AbortController();

  process.on('warning', note);

  const all = Array.from({ length: 40 }, () =>
    run({ command: 'sleep 60' }, { signal: stop.signal }),
  );
  const ends = Promise.allSettled(all);

  setTimeout(() => stop.abort(), 50);
  for (const end of await ends) assert.equal(end.reason?.name, 'AbortError');
  process.off('warning', note);
  assert.deepEqual(warnings, []);
  assert.deepEqual(children(), []);
});

test('1,000 runs leave nothing behind', { timeout: 400_000 }, async () => {
  const stop = new AbortController();
  const batch = async (count) => {
    for (let i = 0; i < count; i += 4)
      await Promise.all([
        run({ command: 'echo x' }, { signal: stop.signal }),
        run({ command: 'cat' }, { input: 'x', signal: stop.signal }),
        run({ command: 'exit 1' }).then((r) => assert.equal(r.exitCode, 1)),
        spawn({ command: 'true' }, { signal: stop.signal }).then((p) =>
          p.wait(),
        ),
      ]);
    collectGarbage();
  };

  await batch(200);

  const fds = descriptors();
  const memory = process.memoryUsage();

  await batch(1000);

  const now = process.memoryUsage();

  await eventually(() => descriptors() <= fds, 'descriptors are closed');
  assert.ok(
    now.heapUsed - memory.heapUsed < 4_000_000,
    `heap grew by ${now.heapUsed - memory.heapUsed}`,
  );
  assert.ok(
    now.rss - memory.rss < 40_000_000,
    `memory grew by ${now.rss - memory.rss}`,
  );
});
