/* lines.ts - events as they come: one JSON object in a line. */
import type { Readable } from 'node:stream';
import type { MxcEvent } from './types.js';

/* A line is shorter; more without an end is not ours. */
const MAX_LINE = 1 << 20;

function parse(line: string): MxcEvent | undefined {
  try {
    return JSON.parse(line) as MxcEvent;
  } catch {
    return undefined; /* the last one of a run that was killed */
  }
}

/** @internal Leaving the loop closes the stream. */
export async function* eventsOf(
  stream: Readable,
): AsyncGenerator<MxcEvent, void, undefined> {
  let rest = '';

  stream.setEncoding('utf8');
  for await (const piece of stream) {
    const lines = (rest + (piece as string)).split('\n');

    rest = lines.pop() as string;
    if (rest.length > MAX_LINE) return;
    for (const line of lines) {
      const event = parse(line);

      if (event) yield event;
    }
  }
}
