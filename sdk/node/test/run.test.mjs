/* run(): results, output, input, time, abort. */
import assert from 'node:assert/strict';
import { writeFileSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { run, spawn } from 'mxc-sandbox';
import { children, code, eventually, folder, sleep } from './help.mjs';

test('output, error output and exit code', async () => {
  const r = await run({ command: 'echo out; echo err >&2; exit 3' });

  assert.equal(r.stdout, 'out\n');
  assert.equal(r.stderr, 'err\n');
  assert.equal(r.exitCode, 3);
  assert.equal(r.timedOut, false);
  assert.equal(r.outcome, 'exited');
  assert.deepEqual(r.warnings, []);
  assert.deepEqual(r.denials, []);
  assert.equal(r.backend, 'native');
});

test('the receipt names what held each clause', async () => {
  const { receipt } = await run({ command: 'true' });

  assert.ok(receipt.length > 5);
  for (const entry of receipt) {
    assert.equal(typeof entry.clause, 'string');
    assert.notEqual(entry.by, '');
    assert.notEqual(entry.state, '');
  }
});

test('a command that a signal ends', async () => {
  const r = await run({ command: 'kill -KILL $$' });

  assert.equal(r.exitCode, 137);
  assert.equal(r.signal, 9);
  assert.equal(r.outcome, 'signaled');
});

test('a command that is not there', async () => {
  const r = await run({ command: 'no-such-command-here' });

  assert.equal(r.exitCode, 127);
  assert.match(r.stderr, /not found/);
});

test('a timeout is a result, with what came before it', async () => {
  const r = await run({ command: 'echo first; sleep 60', timeoutMs: 300 });

  assert.equal(r.timedOut, true);
  assert.equal(r.exitCode, -1);
  assert.equal(r.stdout, 'first\n');
  assert.ok(r.durationMs >= 300);
});

test('a list of words is taken apart by nobody', async () => {
  const words = ['a b', "it's", '$HOME', '*', '', '-n', '\\', '"', 'x=y', 'ä\n'];
  const r = await run({ command: ['printf', '<%s>', ...words] });

  assert.equal(r.stdout, words.map((w) => `<${w}>`).join(''));
});

test('the program of a list is not a variable or an option', async () => {
  const r = await run({ command: ['A=b', 'true'] });

  assert.equal(r.exitCode, 127);
  await assert.rejects(run({ command: ['-x'] }), code('malformed_request'));
  await assert.rejects(run({ command: [] }), code('malformed_request'));
});

test('the environment is what the request says', async () => {
  process.env.MXC_TEST_SECRET = 'of the caller';

  const r = await run({
    command: 'echo "$A|$MXC_TEST_SECRET|$B"',
    environment: { A: 'x=y z', B: undefined },
    inheritDefaultEnvironment: true,
  });

  delete process.env.MXC_TEST_SECRET;
  assert.equal(r.stdout, 'x=y z||\n');
});

test('the request is on no command line', async () => {
  const secret = 'very-secret-value';
  const running = run({
    command: 'sleep 0.5',
    environment: { TOKEN: secret, PATH: '/usr/bin:/bin' },
  });
  const lines = await eventually(() => {
    const all = children().map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });

    return all.some((l) => l.includes('--policy')) && all;
  }, 'mxc runs');

  for (const line of lines) assert.ok(!line.includes(secret), line);
  await running;
});

test('files: granted, read-only, denied', async () => {
  const dir = folder();
  const file = (name) => path.join(dir, name);

  writeFileSync(file('in'), 'content');
  writeFileSync(file('.env'), 'secret');

  const r = await run({
    command: 'cat in; cat .env; echo new > out; echo x > ro/x',
    workingDirectory: dir,
    filesystem: { readwritePaths: [dir], deniedPaths: [file('.env')] },
  });

  assert.equal(r.stdout, 'content');
  assert.match(r.stderr, /Permission denied/);
  assert.equal(readFileSync(file('out'), 'utf8'), 'new\n');

  const ro = await run({
    command: ['touch', file('no')],
    filesystem: { readonlyPaths: [dir] },
  });

  assert.notEqual(ro.exitCode, 0);
  assert.match(ro.stderr, /Read-only/);
});

test('nothing that was not granted', async () => {
  const r = await run({ command: ['cat', import.meta.filename ?? '/root/x'] });

  assert.notEqual(r.exitCode, 0);
  assert.equal(r.stdout, '');
});

test('input, and none', async () => {
  const r = await run({ command: 'cat' }, { input: 'hällo' });

  assert.equal(r.stdout, 'hällo');
  assert.equal((await run({ command: 'wc -c' })).stdout.trim(), '0');
});

test('input that nobody reads', async () => {
  const r = await run({ command: 'exit 4' }, { input: Buffer.alloc(8 << 20) });

  assert.equal(r.exitCode, 4);
});

test('bytes come as they are', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const r = await run({ command: 'cat' }, { input: bytes, encoding: 'buffer' });

  assert.deepEqual(r.stdout, bytes);
  assert.ok(Buffer.isBuffer(r.stderr));

  const asText = await run({ command: ['printf', 'a\\0\\377b'] });

  assert.equal(asText.stdout, 'a\0\ufffdb');
});

test('a character in two pieces', async () => {
  const r = await run({
    command: "printf '\\303'; sleep 0.1; printf '\\244'",
  });

  assert.equal(r.stdout, 'ä');
});

test('big output, both streams at once', async () => {
  const r = await run(
    {
      command:
        'head -c 32000000 /dev/zero & head -c 8000000 /dev/zero >&2; wait',
    },
    { encoding: 'buffer' },
  );

  assert.equal(r.stdout.length, 32_000_000);
  assert.equal(r.stderr.length, 8_000_000);
  assert.equal(r.stdoutLost, 0);
});

test('output beyond the bound is counted and left out', async () => {
  const r = await run(
    { command: 'head -c 3000000 /dev/zero; echo e >&2' },
    { maxOutputBytes: 1000 },
  );

  assert.equal(r.stdout.length, 1000);
  assert.equal(r.stdoutLost, 2_999_000);
  assert.equal(r.stderr, 'e\n');
  assert.equal(r.exitCode, 0);
  assert.equal(r.stdoutGap, 500);
  assert.equal(r.stdoutTotal, 3_000_000);
  assert.deepEqual(
    [r.stdoutTruncated, r.stderrTruncated, r.stderrGap, r.stderrTotal],
    [true, false, undefined, 2],
  );
});

test('of too much output both ends are kept', async () => {
  const lines = Array.from({ length: 30_000 }, (_, n) => `${n}\n`).join('');
  const whole = Buffer.from(lines);

  for (const most of [0, 1, 2, 999, 65_537, whole.length - 1, whole.length]) {
    const last = Math.floor(most / 2);
    const first = most - last;
    const r = await run(
      { command: 'cat' },
      { input: whole, encoding: 'buffer', maxOutputBytes: most },
    );

    assert.ok(
      r.stdout.equals(
        Buffer.concat([
          whole.subarray(0, first),
          whole.subarray(whole.length - last),
        ]),
      ),
      `${most}`,
    );
    assert.equal(r.stdoutLost, whole.length - most);
    assert.equal(r.stdoutGap, most < whole.length ? first : undefined);
    assert.equal(r.stdoutTotal, whole.length);
  }

  const text = await run(
    { command: "printf 'ää1234öö'" },
    { maxOutputBytes: 8 },
  );

  assert.equal(text.stdout, 'ääöö');
  assert.equal(text.stdoutGap, 2);
});

test('who holds the streams holds nothing up', async () => {
  /* In a session of its own, minding no signal. */
  const lingers =
    'setsid sh -c \'trap "" HUP INT QUIT TERM USR1 PIPE; ' +
    "while :; do sleep 1; done' & echo early; ";
  const begin = Date.now();
  const r = await run({ command: `${lingers} exit 3` });

  assert.deepEqual([r.exitCode, r.stdout], [3, 'early\n']);

  const late = await run({ command: `${lingers} sleep 60`, timeoutMs: 500 });

  assert.deepEqual([late.outcome, late.stdout], ['timed_out', 'early\n']);

  const process = await spawn({ command: `${lingers} sleep 60` });

  process.standardOutput.once('data', () => process.kill());
  assert.equal((await process.wait()).outcome, 'killed');
  assert.ok(Date.now() - begin < 20_000);
});

test('verify: each wall that was tried', async () => {
  const r = await run({ command: 'true' }, { verify: true, events: true });
  const held = r.verified.filter((w) => w.result === 'held');

  assert.ok(held.length > 8);
  assert.ok(held.every((w) => w.tries > 0 && w.mechanism));
  assert.equal(
    r.events.filter((e) => e.event === 'verified').length,
    r.verified.length,
  );
  assert.deepEqual((await run({ command: 'true' })).verified, []);

  const process = await spawn({ command: 'true' }, { verify: true });

  await process.wait();
  assert.ok(process.verified.length > 8);
});

test('abort: before, during, after', async () => {
  await assert.rejects(
    run({ command: 'true' }, { signal: AbortSignal.abort('why') }),
    { name: 'AbortError', code: 'ABORT_ERR', cause: 'why' },
  );

  const stop = new AbortController();
  const running = run({ command: 'sleep 60' }, { signal: stop.signal });

  setTimeout(() => stop.abort(), 100);
  await assert.rejects(running, { name: 'AbortError' });
  assert.deepEqual(children(), []);

  const late = new AbortController();
  const r = await run({ command: 'true' }, { signal: late.signal });

  late.abort();
  assert.equal(r.exitCode, 0);
});

test('abort at any moment leaves nothing', async () => {
  for (let ms = 0; ms < 12; ms++) {
    const stop = new AbortController();
    const running = run({ command: 'sleep 60' }, { signal: stop.signal });

    setTimeout(() => stop.abort(), ms);
    await assert.rejects(running, { name: 'AbortError' });
  }
  await eventually(() => children().length === 0, 'all are gone');
});

test('whoever is killed from outside is told of', async () => {
  const running = run({ command: 'sleep 60' });
  const refused = assert.rejects(
    running,
    code('backend_error', { message: /ended by SIGKILL/ }),
  );
  const [pid] = await eventually(() => {
    const all = children();

    return all.length && all;
  }, 'mxc runs');

  await sleep(50);
  process.kill(Number(pid), 'SIGKILL');
  await refused;
});

test('who starts the next one while one runs', async () => {
  const [a, b] = await Promise.all([
    run({ command: 'sleep 0.1; echo a' }),
    run({ command: 'echo b' }),
  ]);

  assert.equal(a.stdout + b.stdout, 'a\nb\n');
});

test('what mxc refuses before it reads the request is told', async () => {
  /* An option: its answer must not be lost with the request. */
  for (const request of ['true', `true ${'x'.repeat(300_000)}`])
    await assert.rejects(
      run({ command: request }, { correlationId: 'two\nlines' }),
      code('malformed_request', { message: /not a word for a run/ }),
    );
});

test('options are of their type', async () => {
  for (const option of [
    { correlationId: 5 },
    { events: 'yes' },
    { verify: 1 },
    { reportDenials: null },
    { reportAccesses: {} },
  ])
    await assert.rejects(
      run({ command: 'true' }, option),
      code('malformed_request', { message: /^option '\w+' must be a / }),
    );
});

test('error output is the command\'s alone', async () => {
  const late = { command: 'echo mine >&2; sleep 60', timeoutMs: 2000 };

  assert.equal((await run(late)).stderr, 'mine\n');
  assert.equal((await run(late)).stderrTotal, 5);
  assert.equal(
    String((await run(late, { encoding: 'buffer' })).stderr),
    'mine\n',
  );

  const limited = await run({
    command: 'echo mine >&2; yes >&2',
    limits: { outputBytes: 1000 },
  });

  assert.equal(limited.outcome, 'limited');
  assert.match(limited.stderr, /^mine\n[y\n]*$/);
  assert.equal(limited.stderr.length, 1000);

  /* Where there is more than is kept, both ends are looked at. */
  const cut = await run(
    { command: 'seq 100000 >&2; yes >&2', limits: { outputBytes: 600_000 } },
    { maxOutputBytes: 4000 },
  );

  assert.ok(cut.stderrTruncated);
  assert.match(cut.stderr, /^1\n2\n/);
  assert.match(cut.stderr, /y\ny\n?$/);
  assert.equal(cut.stderrTotal, 600_000);
  assert.equal(cut.stderr.length, cut.stderrTotal - cut.stderrLost);
});

test('what was refused is counted', async () => {
  const r = await run(
    {
      command: 'cat /etc/shadow; cat /etc/shadow; true',
    },
    { reportDenials: true },
  );

  assert.equal(r.exitCode, 0);
  assert.ok(r.denialCount >= 2, String(r.denialCount));

  const denial = r.denials.find((d) => d.path === '/etc/shadow');

  assert.equal(denial?.what, 'file');
  assert.equal(denial.operation, 'read');
  assert.ok(denial.message);
  assert.equal((await run({ command: 'true' })).denialCount, 0);
});
