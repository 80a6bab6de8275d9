/* spawn(): streams, signals, ends. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { spawn } from 'mxc-sandbox';
import { children, code, eventually, sleep, text } from './help.mjs';

test('streams and the end', async () => {
  const p = await spawn({ command: 'read x; echo "got $x"; echo e >&2; exit 5' });

  assert.ok(p.id > 0);
  p.standardInput.end('line\n');

  const [out, err] = await Promise.all([
    text(p.standardOutput),
    text(p.standardError),
  ]);
  const end = await p.wait();

  assert.equal(out, 'got line\n');
  assert.equal(err, 'e\n');
  assert.equal(end.exitCode, 5);
  assert.equal(end.timedOut, false);
  assert.equal(await p.wait(), end);
  assert.ok(p.receipt.length > 5);
  assert.deepEqual(p.warnings, []);
  assert.equal(p.outputMetadata, undefined);
});

test('a conversation', async () => {
  const p = await spawn({ command: 'while read x; do echo "<$x>"; done' });
  const out = p.standardOutput;

  for (const word of ['a', 'b', 'c']) {
    p.standardInput.write(`${word}\n`);
    assert.equal(String((await once(out, 'data'))[0]), `<${word}>\n`);
  }
  p.standardInput.end();
  assert.equal((await p.wait()).exitCode, 0);
});

test('what was written is there for who reads late', async () => {
  const p = await spawn({ command: 'head -c 100000 /dev/zero; echo e >&2' });
  const out = p.standardOutput;
  const err = p.standardError;

  assert.equal((await p.wait()).exitCode, 0);
  await sleep(50);
  assert.equal((await text(out)).length, 100_000);
  assert.equal(await text(err), 'e\n');
});

test('wait() without reading does not wait for a reader', async () => {
  const p = await spawn({ command: 'cat; head -c 5000000 /dev/zero' });

  assert.equal((await p.wait()).exitCode, 0);
  assert.throws(() => p.standardOutput, /threw it away/);
  assert.throws(() => p.standardError, /threw it away/);
});

test('a slow reader holds the writer back', async () => {
  const p = await spawn({ command: 'head -c 20000000 /dev/zero' });
  const out = p.standardOutput;
  const before = process.memoryUsage().rss;

  await sleep(300);
  assert.ok(process.memoryUsage().rss - before < 15_000_000);
  assert.ok(out.readableLength < 4_000_000);

  let n = 0;

  for await (const chunk of out) n += chunk.length;
  assert.equal(n, 20_000_000);
});

test('a slow command holds us back', async () => {
  const p = await spawn({ command: 'sleep 0.3; wc -c' });
  const out = text(p.standardOutput);
  const piece = Buffer.alloc(1 << 20, 'x');
  let waited = 0;

  for (let i = 0; i < 16; i++) {
    if (!p.standardInput.write(piece)) {
      waited++;
      await once(p.standardInput, 'drain');
    }
  }
  p.standardInput.end();
  assert.ok(waited > 0);
  assert.equal((await out).trim(), String(16 << 20));
});

test('kill', async () => {
  const p = await spawn({ command: 'echo on; sleep 60 & sleep 60' });
  const out = p.standardOutput;

  await once(out, 'data');
  p.kill();

  const end = await p.wait();

  assert.equal(end.exitCode, -1);
  assert.equal(end.timedOut, false);
  assert.equal(end.outcome, 'killed');
  assert.ok(p.receipt.length > 5);
  p.kill();
  assert.deepEqual(children(), []);
});

test('kill at once', async () => {
  const p = await spawn({ command: 'sleep 60' });

  p.kill();
  assert.equal((await p.wait()).exitCode, -1);
});

test('a signal for the command', async () => {
  const p = await spawn({
    command: "trap 'echo usr1' USR1; trap 'echo term; exit 7' TERM; " +
      'echo on; while :; do sleep 0.02; done',
  });
  const out = p.standardOutput;
  let said = '';

  out.on('data', (chunk) => (said += chunk));
  await eventually(() => said.includes('on'), 'it runs');
  p.signal('SIGUSR1');
  await eventually(() => said.includes('usr1'), 'the first signal');
  p.signal(15);
  assert.equal((await p.wait()).exitCode, 7);
  assert.match(said, /term/);
  assert.throws(() => p.signal('SIGNONE'), code('malformed_request'));
  p.signal('SIGTERM');
});

test('dispose', async () => {
  const p = await spawn({ command: 'sleep 60' });
  const waiting = assert.rejects(p.wait(), code('backend_error'));

  p.dispose();
  p.dispose();
  await waiting;
  assert.throws(() => p.standardOutput, code('backend_error'));
  assert.throws(() => p.wait(), code('backend_error'));
  await eventually(() => children().length === 0, 'it is gone');
});

test('abort', async () => {
  const stop = new AbortController();
  const p = await spawn({ command: 'sleep 60' }, { signal: stop.signal });

  stop.abort();
  await assert.rejects(p.wait(), { name: 'AbortError' });
  assert.deepEqual(children(), []);
  await assert.rejects(spawn({ command: 'true' }, { signal: stop.signal }), {
    name: 'AbortError',
  });
});

test('a timeout', async () => {
  const p = await spawn({ command: 'sleep 60', timeoutMs: 200 });
  const end = await p.wait();

  assert.equal(end.timedOut, true);
  assert.equal(end.exitCode, -1);
});

test('a command that ends before anybody asks', async () => {
  for (let i = 0; i < 20; i++) {
    const p = await spawn({ command: 'echo x' });

    await sleep(i % 4);
    assert.equal(await text(p.standardOutput), 'x\n');
    assert.equal((await p.wait()).exitCode, 0);
  }
});

test('nobody waits, nothing is unhandled', async () => {
  let unhandled = 0;
  const count = () => unhandled++;

  process.on('unhandledRejection', count);

  const stop = new AbortController();

  await spawn({ command: 'sleep 60' }, { signal: stop.signal });
  stop.abort();
  await eventually(() => children().length === 0, 'it is gone');
  await sleep(20);
  process.off('unhandledRejection', count);
  assert.equal(unhandled, 0);
});

test('writing to what has ended is an error of the call alone', async () => {
  const p = await spawn({ command: 'exec <&-; exit 0' });
  const input = p.standardInput;

  await p.wait();

  const error = await new Promise((done) => input.write('x', done));

  assert.ok(error);
});

test('which limit ended it', async () => {
  const p = await spawn({ command: 'yes', limits: { outputBytes: 1000 } });

  assert.deepEqual(p.limits, []);
  assert.equal((await p.wait()).outcome, 'limited');
  assert.deepEqual(p.limits, [
    { limit: 'outputBytes', value: 1000, count: 1, ended: true },
  ]);
  assert.equal(p.backend, 'native');
  assert.equal(p.tier, 'process');
  assert.equal(p.denialCount, 0);
});

test('nobody need look at wait() at once', async () => {
  const script = `
    const { spawn } = await import('${import.meta.resolve('mxc-sandbox')}');
    const p = await spawn({ command: 'sleep 60' });
    const end = p.wait();

    p.dispose();
    await new Promise((resolve) => setTimeout(resolve, 200));
    await end.catch((error) => console.log(error.message));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    script,
  ]);

  assert.equal(stdout, 'the process was disposed of\n');
});

test('a block that is left disposes of it', async () => {
  const p = await spawn({ command: 'sleep 60' });

  p[Symbol.dispose]();
  assert.throws(() => p.standardInput, code('backend_error'));
  await eventually(() => !children().length, 'it is gone');
});
