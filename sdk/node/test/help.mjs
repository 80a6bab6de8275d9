/* help.mjs - what several test files share. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';

/** A folder that is gone when the file's tests are over. */
export function folder() {
  const made = mkdtempSync(path.join(tmpdir(), 'mxc-node-'));

  after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

/** A place for sessions that is this file's alone. */
export function runtime() {
  process.env.XDG_RUNTIME_DIR = folder(); /* mkdtemp: mode 0700 */
}

/** A check for assert.rejects: an MxcError with this code, and more. */
export function code(wanted, more = {}) {
  return (error) => {
    assert.equal(error.name, 'MxcError');
    assert.equal(error.code, wanted, error.message);
    for (const [key, value] of Object.entries(more)) {
      if (value instanceof RegExp) assert.match(error[key], value);
      else assert.deepEqual(error[key], value);
    }
    return true;
  };
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function eventually(condition, what, seconds = 10) {
  const end = Date.now() + seconds * 1000;

  for (;;) {
    const value = await condition();

    if (value) return value;
    assert.ok(Date.now() < end, `still not so: ${what}`);
    await sleep(10);
  }
}

export async function text(stream) {
  const chunks = [];

  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Open descriptors of this process. */
export function descriptors() {
  return readdirSync('/proc/self/fd').length;
}

/** Processes whose parent is this one. */
export function children() {
  const found = [];

  for (const pid of readdirSync('/proc').filter((n) => /^\d+$/.test(n))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

      if (Number(parent) === process.pid && state !== 'Z') found.push(pid);
    } catch {
      /* it ended meanwhile */
    }
  }
  return found;
}
