/* types.ts - compiled and never run: that a caller's code has its types. */
import * as mxc from 'mxc-sandbox';
import { run, spawn, spawnWithPty, MxcError, policy } from 'mxc-sandbox/v1';
import type {
  ContainerRequest,
  ExecutionResult,
  MxcEvent,
  Tier,
  WaitResult,
} from 'mxc-sandbox/v1';

const request: ContainerRequest = {
  command: 'true',
  timeoutMs: 1000,
  workingDirectory: '/',
  environment: { A: 'b', C: undefined },
  inheritDefaultEnvironment: true,
  containerName: 'name',
  containment: { type: 'lxc', config: { distribution: 'x', release: 'y' } },
  filesystem: {
    readwritePaths: ['/a'],
    readonlyPaths: ['/b'],
    deniedPaths: ['/c'],
    clearPolicyOnExit: true,
  },
  network: {
    egress: {
      default: 'deny',
      allow: [
        {
          to: [{ cidr: '192.0.2.0/24', except: ['192.0.2.1/32'] }],
          ports: [{ protocol: 'tcp', port: 1, endPort: 2 }],
        },
        { to: [{ host: '*.example.com', intranet: true }] },
      ],
    },
    ingress: {
      default: 'deny',
      hostLoopback: 'allow',
      ports: [{ guest: 80 }],
      hostServices: [{ host: 5432 }],
    },
    runtimeConfig: { networkProxy: 'http://localhost:1', filteringProxy: true },
  },
  ui: { disable: true, clipboard: 'none', allowInputInjection: false },
  limits: { memoryBytes: 1, pids: 2, advisory: ['pids'] },
  guarantees: { tier: 'kernel' },
};

export async function use(): Promise<void> {
  const result: ExecutionResult = await run(request, {
    telemetry: { enabled: false },
    signal: AbortSignal.timeout(1),
  });
  const text: string = result.stdout;
  const tier: Tier | undefined = result.tier;
  const bytes: Buffer = (await run(request, { encoding: 'buffer' })).stdout;
  const process: mxc.MxcProcess = await spawn(request, { events: true });
  const ended: WaitResult = await process.wait();

  for await (const event of process.events ?? []) {
    const e: MxcEvent = event;

    if (e.event === 'connection') console.log(e.state, e.sent, e.name);
    if (e.event === 'published') console.log(e.host);
    if (e.event === 'denied') console.log(e.secret, e.clause, e.message);
    if (e.event === 'access') console.log(e.lost);
  }

  using pty = await spawnWithPty(request, { size: { rows: 1, columns: 2 } });

  pty.resize({ rows: 3, columns: 4 });
  pty.input.write('x');
  pty.output.on('data', (chunk: Buffer) => console.log(chunk));
  console.log(text, bytes, tier, ended.exitCode, result.denials[0]?.count);

  const tools: string[] = policy.filesystem.getAvailableToolsPolicy()
    .readonlyPaths;
  const made = await mxc.provisionContainer({
    containment: 'wslc',
    image: 'x',
  });

  await mxc.startContainer(made.containerId);
  await mxc.runInContainer(made.containerId, { command: 'x' });

  const policy2: mxc.SessionPolicy = {
    filesystem: { readonlyPaths: ['/a'] },
    idleTimeoutMs: 1,
    layer: 'system',
  };

  {
    await using session = await mxc.Session.provision(policy2);
    const command: mxc.SessionCommand = {
      command: ['ls'],
      network: 'none',
      limits: { files: 3 },
    };
    const out: Buffer = (
      await (await session.start()).run(command, { encoding: 'buffer' })
    ).stdout;
    const p: mxc.MxcProcess = await session.spawn(command);
    const t: mxc.MxcPtyProcess = await session.spawnWithPty(command);
    const all: mxc.SessionInfo[] = await mxc.Session.list();
    const seen: mxc.SessionInfo = await session.inspect();
    const state: mxc.SessionState = seen.state;

    console.log(out, p.id, t.input, all.length, state, p.limits[0]?.limit);
    console.log(seen.provisioned?.receipt[0]?.clause);
    await session.stop({ graceMs: 1, signal: AbortSignal.timeout(9) });
  }
  console.log(mxc.probe().limits.map((l: mxc.HostLimit) => l.by));
  try {
    await mxc.validate({ command: ['ls', tools[0] ?? '/'] });
  } catch (error) {
    if (error instanceof MxcError && error.code === 'stale_id')
      console.log(error.details, error.remediation);
  }
}

// @ts-expect-error a command is needed
export const wrong1: ContainerRequest = {};
// @ts-expect-error no such field
export const wrong2: ContainerRequest = { command: 'x', memory: 1 };
export const wrong3: ContainerRequest = {
  command: 'x',
  // @ts-expect-error a word of the contract
  network: { egress: { default: 'maybe' } },
};
// @ts-expect-error its fields are known
export const wrong4: ContainerRequest = { command: 'x', limits: { ram: 1 } };
