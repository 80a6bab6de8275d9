/* collected.ts - what a stream said: of more than a bound the first and the last
 * half. The workload shall not fill our memory. */
import type { Socket } from 'node:net';

/* The last bytes of a stream, in a ring that grows to its size. */
class Tail {
  #ring: Buffer = Buffer.alloc(0);
  #at = 0; /* of the oldest byte, once it is full */
  length = 0;

  constructor(readonly most: number) {}

  add(chunk: Buffer): void {
    let rest = chunk.subarray(Math.max(0, chunk.length - this.most));

    this.#grow(this.length + rest.length);
    if (this.length < this.most) {
      const n = rest.copy(this.#ring, this.length, 0, this.most - this.length);

      this.length += n;
      rest = rest.subarray(n);
    }
    while (rest.length) {
      const n = rest.copy(this.#ring, this.#at, 0, this.most - this.#at);

      this.#at = (this.#at + n) % this.most;
      rest = rest.subarray(n);
    }
  }

  #grow(wanted: number): void {
    if (this.#ring.length >= Math.min(wanted, this.most)) return;

    const ring = Buffer.alloc(
      Math.min(this.most, Math.max(wanted, 2 * this.#ring.length)),
    );

    this.#ring.copy(ring, 0, 0, this.length);
    this.#ring = ring;
  }

  bytes(): Buffer {
    const all = this.#ring.subarray(0, this.length);

    return this.#at
      ? Buffer.concat([all.subarray(this.#at), all.subarray(0, this.#at)])
      : all;
  }

  /** Nothing is added any more. */
  cut(n: number): void {
    this.#ring = this.bytes().subarray(0, this.length - n);
    this.#at = 0;
    this.length -= n;
  }
}

/** @internal */
export class Collected {
  #head: Buffer[] = [];
  #room: number;
  #kept = 0; /* of the head */
  #tail: Tail;
  total = 0;

  constructor(socket: Socket | null, most: number) {
    this.#tail = new Tail(Math.floor(most / 2));
    this.#room = most - this.#tail.most;
    socket?.on('data', (chunk: Buffer) => this.#add(chunk));
    socket?.on('error', () => {});
  }

  #add(chunk: Buffer): void {
    const head = chunk.subarray(0, this.#room);

    this.total += chunk.length;
    this.#room -= head.length;
    this.#kept += head.length;
    if (head.length) this.#head.push(head);
    if (head.length < chunk.length) this.#tail.add(chunk.subarray(head.length));
  }

  /** Bytes that are left out, behind the first `gap` of the rest. */
  get lost(): number {
    return this.total - this.#kept - this.#tail.length;
  }

  /**
   * When all has come: leave out what stands at the beginning and at the end,
   * where it stands there, as if it had never been written.
   */
  leaveOut(before: string, after: string): void {
    const start = Buffer.from(before);
    const end = Buffer.from(after);
    const head = Buffer.concat(this.#head);
    const tail = this.#tail.bytes();
    const hasStart = head.subarray(0, start.length).equals(start);
    let rest = hasStart ? head.subarray(start.length) : head;
    const last = this.lost ? tail : Buffer.concat([rest, tail]);
    const cut =
      end.length <= last.length &&
      last.subarray(last.length - end.length).equals(end)
        ? end.length
        : 0;
    const ofTail = Math.min(cut, tail.length);

    this.total -= (hasStart ? start.length : 0) + cut;
    rest = rest.subarray(0, rest.length - (cut - ofTail));
    this.#tail.cut(ofTail);
    this.#head = [rest];
    this.#kept = rest.length;
  }

  gap(isInBytes: boolean): number {
    return isInBytes ? this.#kept : Buffer.concat(this.#head).toString().length;
  }

  bytes(): Buffer {
    return Buffer.concat([...this.#head, this.#tail.bytes()]);
  }

  /** Both ends apart, where a character may be cut. */
  text(): string {
    return this.lost
      ? Buffer.concat(this.#head).toString() + this.#tail.bytes().toString()
      : this.bytes().toString();
  }
}
