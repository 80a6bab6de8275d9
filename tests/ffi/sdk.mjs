// sdk.mjs - a program written for MXC's SDK, one scene by argument; prints
// what it saw as JSON.  It knows nothing of whose library is behind it.
import * as mxc from '@microsoft/mxc-sdk/v1';

const text = async (stream) => {
  const pieces = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
};

const error = async (what) => {
  try {
    await what();
  } catch (e) {
    return { name: e.name, isMxc: e instanceof mxc.MxcError, code: e.code,
      message: e.message, remediation: e.remediation, details: e.details };
  }
  return null;
};

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

const scenes = {
  async run() {
    return mxc.run({ command: 'echo out; echo err >&2; exit 3' });
  },
  async runMany() {
    const all = await Promise.all(Array.from({ length: 16 }, (_, n) =>
      mxc.run({ command: `echo ${n}; exit ${n}` })));
    return all.map((r) => [r.stdout, r.exitCode]);
  },
  async runAgain() {
    const codes = [];
    for (let n = 0; n < 50; n++)
      codes.push((await mxc.run({ command: `exit ${n}` })).exitCode);
    return codes;
  },
  async runTimeout() {
    return mxc.run({ command: 'echo a; sleep 30', timeoutMs: 300 });
  },
  async runBytes() {
    const r = await mxc.run({
      command: String.raw`printf 'a\000b\377c\303\050\360\237\230d'` });
    return [...r.stdout].map((c) => c.codePointAt(0));
  },
  async runLarge() {
    const r = await mxc.run({ command: "yes '\u20ac' | head -c 4000000" });
    return [r.stdout.length, r.stdout === '\u20ac\n'.repeat(1000000)];
  },
  async runPolicy() {
    const here = process.cwd();
    const r = await mxc.run({
      command: `cat ${here}/data; echo more >> ${here}/data || echo refused; `
        + 'echo $A; pwd',
      filesystem: { readonlyPaths: [here] },
      network: { egress: { default: 'deny' } },
      ui: { disable: true },
      environment: { A: 'b' },
      inheritDefaultEnvironment: true,
      workingDirectory: here,
      containment: { type: 'bubblewrap' },
    });
    return { ...r, here };
  },
  async runWarnings() {
    const r = await mxc.run({ command: 'true' }, {
      telemetry: { enabled: true } });
    return r.warnings;
  },
  async errors() {
    const run = (request) => error(() => mxc.run(request));
    const command = 'true';
    return {
      ingress: await run({ command,
        network: { ingress: { default: 'allow' } } }),
      seatbelt: await run({ command, containment: { type: 'seatbelt' } }),
      processcontainer: await run({ command,
        containment: { type: 'processcontainer' } }),
      lxc: await run({ command, containment: { type: 'lxc' } }),
      missing: await run({ command,
        filesystem: { readonlyPaths: ['/no/such'] } }),
      empty: await run({ command: '' }),
      path: await run({ command, filesystem: { readonlyPaths: ['a"b'] } }),
      cidr: await run({ command, network: { egress: { allow: [
        { to: [{ cidr: '10.0.0.1/8' }] }] } } }),
      spawn: await error(() => mxc.spawn({ command,
        network: { ingress: { default: 'allow' } } })),
      pty: await error(() => mxc.spawnWithPty({ command,
        containment: { type: 'seatbelt' } })),
      size: await error(() => mxc.spawnWithPty({ command },
        { size: { rows: 0, columns: 80 } })),
    };
  },
  async spawn() {
    const p = await mxc.spawn({ command: 'cat; echo err >&2; exit 4' });
    const [out, err] = [text(p.standardOutput), text(p.standardError)];
    p.standardInput.write('hello ');
    p.standardInput.end('there');
    const end = await p.wait();
    const result = { id: p.id, end, out: String(await out),
      err: String(await err), warnings: p.warnings };
    p.dispose();
    return result;
  },
  async spawnBytes() {
    const data = Buffer.alloc(3000000, 0).map((_, i) => i * 7 & 255);
    const p = await mxc.spawn({ command: 'cat' });
    const out = text(p.standardOutput);
    p.standardInput.end(data);
    const end = await p.wait();
    const same = data.equals(await out);
    p.dispose();
    return { end, same };
  },
  async spawnUnread() {
    const p = await mxc.spawn({
      command: 'head -c 3000000 /dev/zero; cat; exit 5' });
    const end = await p.wait();
    p.dispose();
    return end;
  },
  async spawnTimeout() {
    const p = await mxc.spawn({ command: 'echo a; sleep 60', timeoutMs: 400 });
    const out = text(p.standardOutput);
    const end = await p.wait();
    const result = { end, out: String(await out) };
    p.dispose();
    return result;
  },
  async spawnKill() {
    const p = await mxc.spawn({ command: 'sleep 60 & sleep 60' });
    await sleep(200);
    p.kill();
    const end = await p.wait();
    p.kill();
    p.dispose();
    return end;
  },
  async spawnDispose() {
    const p = await mxc.spawn({ command: 'sleep 60' });
    const waiting = error(() => p.wait());
    p.dispose();
    await waiting;
    await sleep(1000);
    return p.id;
  },
  async spawnMany() {
    const one = async (n) => {
      const p = await mxc.spawn({ command: `cat; exit ${n}` });
      const out = text(p.standardOutput);
      p.standardInput.end(`n${n}`);
      const { exitCode } = await p.wait();
      const said = String(await out);
      p.dispose();
      return exitCode === n && said === `n${n}`;
    };
    const all = await Promise.all(Array.from({ length: 12 }, (_, n) => one(n)));
    return all.every(Boolean);
  },
  async pty() {
    const p = await mxc.spawnWithPty({
      command: 'tty; stty size; read x; stty size; echo got $x; exit 3',
    }, { size: { rows: 30, columns: 100 } });
    let out = '';
    p.output.on('data', (piece) => { out += piece; });
    while (!out.includes('30 100')) await sleep(10);
    p.resize({ rows: 41, columns: 121 });
    p.input.write('yo\n');
    const end = await p.wait();
    while (!out.includes('got yo')) await sleep(10);
    p.dispose();
    return { end, out };
  },
  async ptyEof() {
    const p = await mxc.spawnWithPty({ command: 'cat; exit 6' });
    p.output.resume();
    p.input.end('bye\n');
    const end = await p.wait();
    p.dispose();
    return end;
  },
  async ptyKill() {
    const p = await mxc.spawnWithPty({ command: 'sleep 60' });
    p.output.resume();
    await sleep(100);
    p.kill();
    const end = await p.wait();
    p.dispose();
    return end;
  },
  async ptyTimeout() {
    const p = await mxc.spawnWithPty({ command: 'sleep 60', timeoutMs: 300 });
    p.output.resume();
    const end = await p.wait();
    p.dispose();
    return end;
  },
  async discovery() {
    return { backends: mxc.getAvailableBackends(),
      consent: await mxc.getTelemetryConsentStatus() };
  },
  async platform() {
    return mxc.getPlatformSupport();
  },
  async spawnWarnings() {
    const seen = [];
    for (let n = 0; n < 5; n++) {
      const p = await mxc.spawn({ command: 'true' },
        { telemetry: { enabled: true } });
      p.standardOutput.resume();
      p.standardError.resume();
      seen.push((await error(() => p.wait())).name);
      p.dispose();
    }
    return seen;
  },
  // A container of the only kind that this SDK can ask for and we can keep.
  async container() {
    const [folder] = process.argv.slice(3);
    const seen = {};
    const request = { containment: 'wslc', image: 'mxc://native',
      filesystem: { readwritePaths: [folder] },
      network: { egress: { default: 'allow' } } };
    seen.validated = await mxc.validateProvision(request);
    const { containerId: id, ...made } = await mxc.provisionContainer(request);
    seen.made = made;
    seen.id = id;
    const run = (command, more) => mxc.runInContainer(id, { command, ...more });
    seen.early = await error(() => run('true'));
    seen.stoppedEarly = await error(() => mxc.stopContainer(id));
    seen.started = await mxc.startContainer(id);
    seen.startedAgain = await error(() => mxc.startContainer(id));
    seen.ran = await run(`echo out; echo err >&2; echo $A >${folder}/file; exit 3`,
      { environment: { A: 'made' }, workingDirectory: folder });
    seen.late = await run('echo before; sleep 60', { timeoutMs: 500 });
    seen.proxied = await error(() => run('true', { network: {
      runtimeConfig: { networkProxy: 'http://10.0.0.1:80' } } }));
    seen.process = await mxc.validateProcess(id, { command: 'true' });
    const p = await mxc.spawnInContainer(id, { command: 'cat; exit 4' });
    p.standardInput.end('fed');
    seen.fed = [String(await text(p.standardOutput)), await p.wait()];
    p.dispose();
    const killed = await mxc.spawnInContainer(id, { command: 'sleep 60' });
    killed.kill();
    seen.killed = await killed.wait();
    killed.dispose();
    const t = await mxc.spawnInContainerWithPty(id,
      { command: 'tty; stty size; read x; stty size' },
      { size: { rows: 30, columns: 90 } });
    let shown = '';
    t.output.on('data', (data) => { shown += data; });
    while (!shown.includes('30 90')) await sleep(5);
    t.resize({ rows: 20, columns: 60 });
    t.input.write('x\r');
    seen.pty = [await t.wait(), shown];
    t.dispose();
    seen.stopped = await mxc.stopContainer(id);
    seen.stoppedAgain = await error(() => mxc.stopContainer(id));
    seen.restarted = await mxc.startContainer(id);
    seen.gone = await mxc.deprovisionContainer(id);
    seen.goneAgain = await error(() => mxc.deprovisionContainer(id));
    seen.stale = await error(() => run('true'));
    seen.noPath = await error(() => mxc.provisionContainer({
      containment: 'wslc', image: 'mxc://native',
      filesystem: { readonlyPaths: ['/no/such'] } }));
    seen.archive = await error(() => mxc.provisionContainer({
      containment: 'wslc', image: 'mxc://native', imageTarPath: '/x.tar' }));
    return seen;
  },
  async lifecycle() {
    const network = { egress: { default: 'allow' },
      ingress: { default: 'allow', hostLoopback: 'allow' } };
    return {
      provision: await error(() => mxc.provisionContainer({
        containment: 'isolation_session', network })),
      wslc: await error(() => mxc.provisionContainer({ containment: 'wslc' })),
      start: await error(() => mxc.startContainer('wslc:0')),
      stop: await error(() => mxc.stopContainer('iso:0')),
      prefix: await error(() => mxc.startContainer('x:0')),
      run: await error(() => mxc.runInContainer('wslc:0',
        { command: 'true' })),
    };
  },
};

const name = process.argv[2];
console.log(JSON.stringify(await scenes[name]()));
