/* sdk_node.mjs PACKAGE MXC REQUEST ROUNDS - times in node, taking turns.
 *
 * Writes one JSON object of medians and 99th percentiles in milliseconds.
 * bench/sdk-node starts it. */
import { spawn as start, spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

const [folder, mxc, file, rounds] = process.argv.slice(2);
const { run, spawn } = await import(pathToFileURL(`${folder}/dist/index.js`));
const request = { command: 'true' };
const ended = (child) =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) =>
      status === 0 ? resolve() : reject(new Error(`status ${status}`)),
    );
  });

const rows = {
  'child_process.spawn of mxc, no streams': () =>
    ended(start(mxc, ['run', file], { stdio: 'ignore' })),
  'child_process.spawn of mxc, output collected': () => {
    const child = start(mxc, ['run', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });

    child.stdout.resume();
    child.stderr.resume();
    return ended(child);
  },
  'run()': async () => {
    const r = await run(request, { executable: mxc });

    if (r.exitCode !== 0) throw new Error(r.stderr);
  },
  'spawn(), wait()': async () => {
    const p = await spawn(request, { executable: mxc });

    if ((await p.wait()).exitCode !== 0) throw new Error('it failed');
  },
};
const bare = 'mxc run, by posix_spawn from C';
const fromC = () => {
  const said = spawnSync('./bench_spawn', ['1', '1', mxc, 'run', file]);

  if (said.status !== 0) throw new Error(String(said.stderr));
  return Number(String(said.stdout).split(' ')[0]) / 1000;
};
const times = Object.fromEntries(Object.keys(rows).map((name) => [name, []]));
times[bare] = [];

for (let i = -10; i < Number(rounds); i++) {
  const took = fromC();

  if (i >= 0) times[bare].push(took);
  for (const [name, go] of Object.entries(rows)) {
    const begin = performance.now();

    await go();
    if (i >= 0) times[name].push(performance.now() - begin);
  }
}

const at = (list, part) =>
  list.sort((a, b) => a - b)[Math.floor(list.length * part)];

console.log(
  JSON.stringify(
    Object.fromEntries(
      Object.entries(times).map(([name, list]) => [
        name,
        [at(list, 0.5), at(list, 0.99)],
      ]),
    ),
  ),
);
