/* MXC's calls for kept sandboxes: on sessions of ours, and refused for what is
 * of another system. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as mxc from 'mxc-sandbox';
import { code, folder, runtime, text } from './help.mjs';

runtime();

const exec = { command: 'true' };
const foreign = 'iso:0123456789abcdef';
const gone = 'native:0123456789abcdef0123456789abcdef';
const wslc = { containment: 'wslc', image: 'alpine:latest' };

const calls = (id) => ({
  startContainer: [id],
  stopContainer: [id],
  deprovisionContainer: [id],
  runInContainer: [id, exec],
  spawnInContainer: [id, exec],
  spawnInContainerWithPty: [id, exec],
  validateStart: [id],
  validateStop: [id],
  validateDeprovision: [id],
  validateProcess: [id, exec],
});

test('a life', async () => {
  const work = folder();
  const request = {
    containment: 'native',
    filesystem: { readwritePaths: [work] },
  };

  assert.deepEqual(await mxc.validateProvision(request), { warnings: [] });

  const { containerId: id, warnings } = await mxc.provisionContainer(request);

  assert.match(id, /^native:[0-9a-f]{32}$/);
  assert.deepEqual(warnings, []);
  await assert.rejects(mxc.runInContainer(id, exec), code('not_started'));
  assert.deepEqual(await mxc.startContainer(id), { warnings: [] });
  await assert.rejects(mxc.startContainer(id), code('already_started'));
  for (const [name, args] of Object.entries(calls(id)))
    if (name.startsWith('validate'))
      assert.deepEqual(await mxc[name](...args), { warnings: [] }, name);

  const r = await mxc.runInContainer(
    id,
    { command: 'cat; exit 3', workingDirectory: work },
    { input: 'fed' },
  );

  assert.deepEqual([r.stdout, r.exitCode], ['fed', 3]);

  const p = await mxc.spawnInContainer(id, { command: 'echo up; exit 4' });

  assert.equal(await text(p.standardOutput), 'up\n');
  assert.equal((await p.wait()).exitCode, 4);
  p.dispose();

  const t = await mxc.spawnInContainerWithPty(
    id,
    { command: 'stty size' },
    { size: { rows: 31, columns: 97 } },
  );

  assert.match(await text(t.output), /31 97/);
  t.dispose();
  await assert.rejects(
    mxc.runInContainer(id, {
      ...exec,
      network: { runtimeConfig: { networkProxy: 'http://127.0.0.1:9' } },
    }),
    code('policy_validation'),
  );
  await mxc.stopContainer(id);
  await assert.rejects(mxc.stopContainer(id), code('already_stopped'));
  await mxc.deprovisionContainer(id);
});

test('a container of MXC that may be ours', async () => {
  const { containerId: id } = await mxc.provisionContainer({
    ...wslc,
    image: 'mxc://native',
  });

  await mxc.startContainer(id);
  assert.equal((await mxc.runInContainer(id, { command: 'exit 6' })).exitCode, 6);
  await mxc.deprovisionContainer(id);
});

test('one that is gone, and those of other systems', async () => {
  for (const [id, wanted] of [
    [gone, 'stale_id'],
    [foreign, 'unsupported_containment'],
  ])
    for (const [name, args] of Object.entries(calls(id))) {
      await assert.rejects(mxc[name](...args), code(wanted), name);
      await assert.rejects(
        mxc[name](...args, { dryRun: true }),
        code('malformed_request'),
      );
    }
  await assert.rejects(
    mxc.provisionContainer(wslc),
    code('unsupported_containment'),
  );
  await assert.rejects(
    mxc.provisionContainer({
      containment: 'isolation_session',
      network: {
        egress: { default: 'allow' },
        ingress: { default: 'allow', hostLoopback: 'allow' },
      },
    }),
    code('unsupported_containment'),
  );
});

test('ids', async () => {
  for (const bad of [undefined, '', 'abc', ':x', 'foo:1', 'native:1'])
    await assert.rejects(mxc.startContainer(bad), code('malformed_id'));
  await assert.rejects(
    mxc.stopContainer('wsb:01234567'),
    code('unsupported_containment'),
  );
});

test('a document that is not well formed is told so', async () => {
  for (const request of [wslc, { containment: 'native' }])
    await assert.rejects(
      mxc.provisionContainer({ ...request, colour: 'red' }),
      code('malformed_request', { message: /colour/ }),
    );
  await assert.rejects(
    mxc.provisionContainer({ containment: 'lxc' }),
    code('unsupported_containment'),
  );
  await assert.rejects(
    mxc.runInContainer(gone, { command: '' }),
    code('malformed_request'),
  );
});

test('telemetry does not apply, and nobody is asked', async () => {
  const status = await mxc.getTelemetryConsentStatus();
  const asked = await mxc.requestTelemetryConsent(() => assert.fail('asked'));
  const withdrawn = await mxc.withdrawTelemetryConsent();

  assert.equal(status.state, 'not-applicable');
  assert.equal(asked.result, 'notApplicable');
  assert.equal(asked.action, 'request');
  assert.equal(withdrawn.result, 'notApplicable');
});
