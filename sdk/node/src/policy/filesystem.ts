/* filesystem.ts - grants that many commands want, from this process's
 * environment.  They only name paths; what is granted is the request's. */
import { statSync } from 'node:fs';
import path from 'node:path';

export interface FilesystemPolicyResult {
  readonlyPaths: string[];
  readwritePaths: string[];
}

export interface ToolsPolicyOptions {
  /** Without effect on Linux. */
  containerType?: 'processcontainer';
}

type Environment = { readonly [name: string]: string | undefined };

/* Variables that name a directory of tools, or a list of them. */
const TOOL_VARIABLES = [
  'PYTHONPATH',
  'PYTHONHOME',
  'PSModulePath',
  'VCPKG_ROOT',
  'GOPATH',
  'GOROOT',
  'CARGO_HOME',
  'RUSTUP_HOME',
  'JAVA_HOME',
  'NVM_HOME',
  'NVM_SYMLINK',
  'NODE_PATH',
  'DOTNET_ROOT',
  'CONDA_PREFIX',
  'LD_LIBRARY_PATH',
  'VIRTUAL_ENV',
  'PYENV_ROOT',
];

/* What every sandbox has anyway, or may not have from the host. */
const SYSTEM = [
  '/bin',
  '/sbin',
  '/usr/bin',
  '/usr/sbin',
  '/boot',
  '/proc',
  '/sys',
  '/dev',
];

function isDirectory(name: string): boolean {
  try {
    return statSync(name).isDirectory();
  } catch {
    return false;
  }
}

function isSystem(name: string): boolean {
  return SYSTEM.some((top) => name === top || name.startsWith(`${top}/`));
}

function directories(names: Iterable<string | undefined>): string[] {
  const found = new Set<string>();

  for (const name of names) {
    if (!name || name.includes('\0')) continue;

    const full = path.resolve(name);

    /* '/' would be everything. */
    if (full !== '/' && !isSystem(full) && isDirectory(full)) found.add(full);
  }
  return [...found];
}

/** Directories of PATH and of variables of known tools, for reading. */
export function getAvailableToolsPolicy(
  environment: Environment = process.env,
  _options?: ToolsPolicyOptions,
): FilesystemPolicyResult {
  const lists = ['PATH', ...TOOL_VARIABLES].map((name) => environment[name]);

  return {
    readonlyPaths: directories(
      lists.flatMap((list) => (list ?? '').split(path.delimiter)),
    ),
    readwritePaths: [],
  };
}

/** Programs that are installed in the home directory, for reading. */
export function getUserProfilePolicy(
  environment: Environment = process.env,
): FilesystemPolicyResult {
  const home = environment.HOME;

  return {
    readonlyPaths: home
      ? directories([`${home}/.local/bin`, `${home}/.local/lib`])
      : [],
    readwritePaths: [],
  };
}

/**
 * The host's directory for temporary files, for reading and writing. A
 * sandbox has a private /tmp of its own without it.
 */
export function getTemporaryFilesPolicy(
  environment: Environment = process.env,
): FilesystemPolicyResult {
  return {
    readonlyPaths: [],
    readwritePaths: directories([environment.TMPDIR || '/tmp']),
  };
}
