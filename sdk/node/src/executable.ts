/* executable.ts - where mxc is: the option, MXC_BIN, beside this package, on
 * PATH; the first that is there. */
import { accessSync, constants, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MxcError, malformed } from './errors.js';

const PACKAGE = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/* From the package's folder to the tree that mxc was installed in:
 * PREFIX/sdk/node, PREFIX/lib/node_modules/mxc-sandbox, and a build tree.
 * Such a tree holds libexec as well; a stray bin/mxc is none. */
const TREES = ['.', '../..', '../../..', '../../tree'];

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function besidePackage(): string | undefined {
  for (const tree of TREES) {
    const root = path.resolve(PACKAGE, tree);

    if (
      isProgram(path.join(root, 'libexec/mxc/mxc-launch')) &&
      isProgram(path.join(root, 'bin/mxc'))
    )
      return path.join(root, 'bin/mxc');
  }
  return undefined;
}

function onPath(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? '').split(':')) {
    /* A relative entry means whatever the current directory holds. */
    if (!path.isAbsolute(folder)) continue;
    if (isProgram(path.join(folder, name))) return path.join(folder, name);
  }
  return undefined;
}

function missing(what: string): MxcError {
  return new MxcError({
    code: 'backend_unavailable',
    message: what,
    remediation:
      "install mxc, and name it by the option 'executable', by MXC_BIN or " +
      'on PATH',
  });
}

let beside: { file: string | undefined } | undefined;
let found: { key: string; file: string } | undefined;

function look(): string {
  const named = process.env.MXC_BIN;

  if (named) {
    const file = named.includes('/') ? path.resolve(named) : onPath(named);

    if (file === undefined || !isProgram(file))
      throw missing(`MXC_BIN names no program: '${named}'`);
    return file;
  }
  beside ??= { file: besidePackage() };

  const file = beside.file ?? onPath('mxc');

  if (file === undefined)
    throw missing('mxc is neither beside this package nor on PATH');
  return file;
}

/** @internal */
export function findExecutable(option?: string): string {
  if (option !== undefined) {
    if (typeof option !== 'string' || option === '')
      throw malformed("option 'executable' must be the path of a program");
    return path.resolve(option);
  }

  const key = `${process.env.MXC_BIN ?? ''}\0${process.env.PATH ?? ''}`;

  if (found?.key !== key) found = { key, file: look() };
  return found.file;
}

/** @internal It was there and is not: look again the next time. */
export function forgetExecutable(): void {
  found = undefined;
  beside = undefined;
}

/** @internal What mxc itself needs of this process's environment: it tells
 * the workload nothing but TERM, and that only on a terminal. */
export function environment(): Record<string, string> {
  const kept: Record<string, string> = {};

  for (const name of ['PATH', 'HOME', 'TERM', 'XDG_RUNTIME_DIR']) {
    const value = process.env[name];

    if (value !== undefined) kept[name] = value;
  }
  return kept;
}
