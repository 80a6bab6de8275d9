/* pty.ts - a run on a terminal of its own. */
import type { Readable, Writable } from 'node:stream';
import { MxcProcess } from './process.js';
import { checkSize } from './request.js';
import type { MxcPtySize } from './types.js';

export class MxcPtyProcess extends MxcProcess {
  /** What is typed. */
  get input(): Writable {
    return this.standardInput as Writable;
  }

  /** What the terminal shows, error output with it. */
  get output(): Readable {
    return this.standardOutput as Readable;
  }

  resize(size: MxcPtySize): void {
    const { rows, columns } = checkSize(size);

    this.engine.order(`resize ${rows} ${columns}`);
  }
}
