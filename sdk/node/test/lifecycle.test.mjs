/* Kept sandboxes: the shape of the calls, and that they refuse. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as mxc from 'mxc-sandbox';
import { code } from './help.mjs';

const id = 'wslc:0123456789abcdef0123456789abcdef';
const provision = { containment: 'wslc', image: 'alpine:latest' };
const exec = { command: 'true' };

const calls = {
  provisionContainer: [provision],
  startContainer: [id],
  stopContainer: [id],
  deprovisionContainer: [id],
  runInContainer: [id, exec],
  spawnInContainer: [id, exec],
  spawnInContainerWithPty: [id, exec],
  validateProvision: [provision],
  validateStart: [id],
  validateStop: [id],
  validateDeprovision: [id],
  validateProcess: [id, exec],
};

for (const [name, args] of Object.entries(calls)) {
  test(`${name}: nothing keeps sandboxes here`, async () => {
    await assert.rejects(
      mxc[name](...args),
      code('unsupported_phase', { remediation: /run\(\)/ }),
    );
    await assert.rejects(
      mxc[name](...args, { dryRun: true }),
      code('malformed_request'),
    );
  });
}

test('ids', async () => {
  for (const bad of [undefined, '', 'abc', ':x', 'foo:1'])
    await assert.rejects(mxc.startContainer(bad), code('malformed_id'));
  await assert.rejects(
    mxc.stopContainer('wsb:01234567'),
    code('unsupported_containment'),
  );
});

test('a document that is not well formed is told so', async () => {
  await assert.rejects(
    mxc.provisionContainer({ ...provision, colour: 'red' }),
    code('malformed_request', { message: /colour/ }),
  );
  await assert.rejects(
    mxc.provisionContainer({ containment: 'lxc' }),
    code('unsupported_containment'),
  );
  await assert.rejects(
    mxc.runInContainer(id, { command: '' }),
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
