/* What is refused, with which code, and where. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MxcError,
  mxcErrorFromCode,
  run,
  SDK_CONTRACT_VERSION,
  spawn,
  validate,
  explain,
} from 'mxc-sandbox';
import { code } from './help.mjs';

const refused = {
  'no object': [null, 'malformed_request'],
  'no command': [{}, 'malformed_request', 'command'],
  'an empty command': [{ command: '' }, 'malformed_request', 'command'],
  'a number as command': [{ command: 1 }, 'malformed_request', 'command'],
  'denials in a Map': [
    { command: 'x', filesystem: new Map([['deniedPaths', ['/etc']]]) },
    'malformed_request',
    'filesystem',
  ],
  'a word as clearPolicyOnExit': [
    { command: 'x', filesystem: { clearPolicyOnExit: 'no' } },
    'malformed_request',
    'filesystem.clearPolicyOnExit',
  ],
  'limits of a prototype': [
    { command: 'x', limits: Object.create({ pids: 5 }) },
    'malformed_request',
    'limits',
  ],
  'a rule that is a class': [
    { command: 'x', network: { egress: { deny: [new (class Rule {})()] } } },
    'malformed_request',
    'network.egress.deny[0]',
  ],
  'a limit that is a function': [
    { command: 'x', limits: { pids: () => 5 } },
    'malformed_request',
    'limits.pids',
  ],
  'denials that are null': [
    { command: 'x', filesystem: { deniedPaths: null } },
    'malformed_request',
    'filesystem.deniedPaths',
  ],
  'a timeout that is null': [
    { command: 'x', timeoutMs: null },
    'malformed_request',
    'timeoutMs',
  ],
  'an unknown field of a containment': [
    { command: 'x', containment: { type: 'process', network: 'none' } },
    'malformed_request',
    'network',
  ],
  'an unknown field': [{ command: 'x', foo: 1 }, 'malformed_request', 'foo'],
  version: [{ command: 'x', version: '1.0.0' }, 'malformed_request', 'version'],
  'runtimeConfig at the top': [
    { command: 'x', runtimeConfig: {} },
    'malformed_request',
    'runtimeConfig',
  ],
  'telemetry in the request': [
    { command: 'x', telemetry: {} },
    'malformed_request',
    'telemetry',
  ],
  'an unknown field below': [
    { command: 'x', filesystem: { readPaths: [] } },
    'malformed_request',
    'filesystem.readPaths',
  ],
  'an unknown limit': [
    { command: 'x', limits: { ram: 1 } },
    'malformed_request',
    'limits.ram',
  ],
  'a network of former contracts': [
    { command: 'x', network: { allowedHosts: ['example.com'] } },
    'malformed_request',
    'network.allowedHosts',
  ],
  'a name of a variable': [
    { command: 'x', environment: { 'A=B': 'c' } },
    'malformed_request',
    'environment',
  ],
  'a value of a variable': [
    { command: 'x', environment: { A: 1 } },
    'malformed_request',
    'environment',
  ],
  'a fraction of a millisecond': [
    { command: 'x', timeoutMs: 0.5 },
    'malformed_request',
    'timeoutMs',
  ],
  'time that ran out': [
    { command: 'x', timeoutMs: -1 },
    'malformed_request',
    'timeoutMs',
  ],
  'an unknown containment': [
    { command: 'x', containment: { type: 'jail' } },
    'unsupported_containment',
    'containment.type',
  ],
  'a containment that is not here': [
    { command: 'x', containment: { type: 'seatbelt' } },
    'unsupported_containment',
    'containment',
  ],
  'config where there is none': [
    { command: 'x', containment: { type: 'process', config: {} } },
    'malformed_request',
    'containment.config',
  ],
  'a path that is not there': [
    { command: 'x', filesystem: { readonlyPaths: ['/no/such/path'] } },
    'policy_validation',
    'filesystem.readonlyPaths[0]',
  ],
  'a relative path': [
    { command: 'x', filesystem: { readwritePaths: ['here'] } },
    'policy_validation',
    'filesystem.readwritePaths[0]',
  ],
  'what cannot be enforced': [
    { command: 'x', network: { ingress: { default: 'allow' } } },
    'policy_validation',
    'network.ingress.default',
  ],
  'a host that is none': [
    {
      command: 'x',
      network: { egress: { allow: [{ to: [{ host: '*' }] }] } },
    },
    'malformed_request',
    'network.egress.allow[0].to[0].host',
  ],
};

for (const [name, [request, wanted, where]] of Object.entries(refused)) {
  test(`refused: ${name}`, async () => {
    for (const call of [run, spawn, validate]) {
      await assert.rejects(
        call(request),
        (error) =>
          code(wanted)(error) &&
          (assert.equal(error.details?.where, where), true),
        call.name,
      );
    }
  });
}

test('a refusal names the remedy', async () => {
  await assert.rejects(
    run({ command: 'x', filesystem: { readonlyPaths: ['/no/such'] } }),
    code('policy_validation', {
      message: /does not exist/,
      remediation: /create it/,
    }),
  );
});

test('options are checked as well', async () => {
  const request = { command: 'true' };

  for (const options of [
    1,
    { dryRun: true },
    { telemetry: { enabled: 'yes' } },
    { telemetry: { level: 1 } },
    { signal: {} },
    { executable: '' },
    { encoding: 'latin1' },
    { input: 5 },
    { maxOutputBytes: -1 },
  ]) {
    await assert.rejects(run(request, options), code('malformed_request'));
  }
  await run(request, { telemetry: { enabled: true } });
});

test('an executable that is not there', async () => {
  await assert.rejects(
    run({ command: 'x' }, { executable: '/no/such/mxc' }),
    code('backend_unavailable', { nativeCode: 'ENOENT' }),
  );
  await assert.rejects(
    spawn({ command: 'x' }, { executable: '/no/such/mxc' }),
    code('backend_unavailable'),
  );
  await assert.rejects(
    validate({ command: 'x' }, { executable: '/no/such/mxc' }),
    code('backend_unavailable'),
  );
});

test('an executable that is not mxc', async () => {
  await assert.rejects(
    run({ command: 'x' }, { executable: '/bin/true' }),
    code('backend_error', { message: /without an answer/ }),
  );
  await assert.rejects(
    spawn({ command: 'x' }, { executable: '/bin/true' }).then((p) => p.wait()),
    code('backend_error'),
  );
});

test('MXC_BIN that names nothing', async () => {
  const before = process.env.MXC_BIN;

  process.env.MXC_BIN = '/no/such/mxc';
  try {
    await assert.rejects(run({ command: 'x' }), code('backend_unavailable'));
  } finally {
    if (before === undefined) delete process.env.MXC_BIN;
    else process.env.MXC_BIN = before;
  }
  assert.equal((await run({ command: 'true' })).exitCode, 0);
});

test('what MXC has no words for is said in the superset', async () => {
  const base = await explain({ command: 'x' });
  const more = await explain({
    command: 'x',
    network: { egress: { allow: [{ to: [{ host: 'example.com' }] }] } },
  });

  assert.match(base, /Network/);
  assert.match(more, /example\.com/);
  assert.equal(SDK_CONTRACT_VERSION, '1.0.0');
});

test('validate tells what would hold it, and runs nothing', async () => {
  const r = await validate({ command: 'exit 9' });

  assert.equal(r.backend, 'native');
  assert.equal(r.tier, 'process');
  assert.deepEqual(r.warnings, []);
  assert.ok(r.receipt.length > 5);
  await assert.rejects(
    explain({ command: 'x', filesystem: { readonlyPaths: ['x'] } }),
    code('policy_validation'),
  );
  await assert.rejects(
    validate({ command: 'x' }, { signal: AbortSignal.abort() }),
    { name: 'AbortError' },
  );
});

test('a guarantee is held, or the request is refused', async () => {
  const r = await validate({
    command: 'x',
    guarantees: { tier: 'process' },
  });

  assert.ok(r.receipt.some((c) => c.clause.includes("tier 'process'")));
  await assert.rejects(
    run({
      command: 'true',
      containment: { type: 'native' },
      guarantees: { tier: 'vm' },
    }),
    code('policy_validation', { message: /weaker than 'vm'/ }),
  );
  await assert.rejects(
    validate({ command: 'x', guarantees: { tier: 'none' } }),
    code('malformed_request', { message: /unknown value 'none'/ }),
  );
  await assert.rejects(
    validate({ command: 'x', guarantees: new Map([['tier', 'vm']]) }),
    code('malformed_request', { message: /plain object/ }),
  );
});

test('MxcError', () => {
  const a = new MxcError('stale_id', 'gone', { x: 1 });
  const b = new MxcError({ code: 'stale_id', message: 'gone', operation: 'o' });
  const c = mxcErrorFromCode('of_tomorrow', 'new');

  assert.ok(a instanceof Error);
  assert.deepEqual([a.code, a.message, a.details], ['stale_id', 'gone', { x: 1 }]);
  assert.equal(b.operation, 'o');
  assert.ok(!('details' in b));
  assert.equal(c.code, 'of_tomorrow');
});
