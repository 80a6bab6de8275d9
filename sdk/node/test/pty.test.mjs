/* spawnWithPty(): a terminal, its size, what is typed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MxcProcess, spawnWithPty } from 'mxc-sandbox';
import { code, eventually, text } from './help.mjs';

function shown(p) {
  const screen = { text: '' };

  p.output.on('data', (chunk) => (screen.text += chunk));
  return screen;
}

test('a terminal of the size that was asked for', async () => {
  const p = await spawnWithPty(
    { command: 'test -t 0 && test -t 1 && test -t 2 && stty size' },
    { size: { rows: 31, columns: 97 } },
  );

  assert.ok(p instanceof MxcProcess);
  assert.equal(p.standardError, null);

  const screen = shown(p);

  assert.equal((await p.wait()).exitCode, 0);
  await eventually(() => screen.text.includes('31 97'), screen.text);
});

test('24 rows and 80 columns without a word', async () => {
  const p = await spawnWithPty({ command: 'stty size' });
  const said = text(p.output);

  assert.equal((await p.wait()).exitCode, 0);
  assert.match(await said, /24 80/);
});

test('resize', async () => {
  const p = await spawnWithPty({
    command: "trap 'stty size' WINCH; echo on; while :; do sleep 0.05; done",
  });
  const screen = shown(p);

  await eventually(() => screen.text.includes('on'), 'it runs');
  p.resize({ rows: 50, columns: 132 });
  await eventually(() => screen.text.includes('50 132'), 'the new size');
  assert.throws(() => p.resize({ rows: 0, columns: 1 }), code('malformed_request'));
  p.kill();
  assert.equal((await p.wait()).exitCode, -1);
});

test('typing, and an interrupt', async () => {
  const p = await spawnWithPty({
    command: 'read x; echo "got $x"; exec sleep 60',
  });
  const screen = shown(p);

  p.input.write('word\r');
  await eventually(() => screen.text.includes('got word'), 'the answer');
  p.input.write('\x03');

  const end = await p.wait();

  assert.equal(end.exitCode, 130);
  assert.equal(end.signal, 2);
});

test('sizes that are none, and a refusal', async () => {
  for (const size of [{}, { rows: 1 }, { rows: 1, columns: 32768 }])
    await assert.rejects(
      spawnWithPty({ command: 'true' }, { size }),
      code('malformed_request'),
    );
  await assert.rejects(
    spawnWithPty({ command: 'x', filesystem: { readonlyPaths: ['x'] } }),
    code('policy_validation'),
  );
});

test('big output on a terminal', async () => {
  const p = await spawnWithPty({
    command: 'stty -opost; head -c 3000000 /dev/zero | tr "\\0" x',
  });
  const said = text(p.output);

  assert.equal((await p.wait()).exitCode, 0);
  assert.equal((await said).replace(/[^x]/g, '').length, 3_000_000);
});
