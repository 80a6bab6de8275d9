/* keep.ts - an output stream that nothing is lost from.
 *
 * When a child process ends, node discards what nobody has read of its
 * streams yet (it resumes them).  This one reads on behalf of a reader who
 * comes later, and holds the writer back as long as none does. */
import { Readable } from 'node:stream';
import type { Socket } from 'node:net';

/** @internal */
export function keep(socket: Socket): Readable {
  const out = new Readable({
    read() {
      socket.resume();
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });

  socket.on('data', (chunk: Buffer) => {
    if (!out.push(chunk)) socket.pause();
  });
  socket.once('end', () => out.push(null));
  socket.once('error', (error) => out.destroy(error));
  socket.once('close', () => {
    if (!socket.readableEnded && !out.destroyed) out.push(null);
  });
  return out;
}
