/** The in-memory double of the object store: the same contract as JetStream's (test/contracts/objects-contract.ts). */
import { createHash } from 'node:crypto';
import { concat, utf8 } from '../../runtime/frames/bytes.js';
import { fatal, transient } from '../../runtime/contract/errors.js';
import type { Objects } from '../../runtime/contract/ports.js';

const PIECE_BYTES = 64 * 1024;

interface Stored {
  readonly data: Uint8Array;
  readonly digest: string;
}

export class MemoryObjects implements Objects {
  private readonly stored = new Map<string, Stored>();

  async put(
    name: string,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly bytes: number; readonly digest: string }> {
    const all: Uint8Array[] = [];
    for await (const piece of pieces) all.push(piece.slice());
    const data = concat(all);
    const digest = digestOf(data);
    this.stored.set(name, { data, digest });
    return { bytes: data.length, digest };
  }

  async *get(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const stored = this.stored.get(name);
    if (stored === undefined) throw transient('OBJECT_MISSING', `there is no object ${name}`);
    for (let at = 0; at < stored.data.length; at += PIECE_BYTES) {
      if (!this.stored.has(name)) throw transient('OBJECT_MISSING', `${name} was deleted while it was read`);
      yield stored.data.slice(at, at + PIECE_BYTES);
    }
    if (digestOf(stored.data) !== stored.digest) {
      throw fatal('OBJECT_DAMAGED', `the object ${name} is damaged: its bytes do not give ${stored.digest}`);
    }
  }

  async delete(name: string): Promise<void> {
    this.stored.delete(name);
  }

  async names(prefix: string): Promise<string[]> {
    return this.namesNow().filter((name) => name.startsWith(prefix));
  }

  /** For who stands outside. */
  namesNow(): string[] {
    return [...this.stored.keys()].sort((a, b) => Buffer.compare(utf8(a), utf8(b)));
  }

  /** Changes an object's bytes behind its digest. */
  damage(name: string, change: (data: Uint8Array) => Uint8Array = flipped): void {
    const stored = this.stored.get(name);
    if (stored === undefined) throw new Error(`there is no object ${name}`);
    this.stored.set(name, { ...stored, data: change(stored.data.slice()) });
  }
}

const digestOf = (data: Uint8Array): string => `SHA-256=${createHash('sha256').update(data).digest('base64url')}`;

function flipped(data: Uint8Array): Uint8Array {
  const at = data.length >> 1;
  data[at] = data[at]! ^ 0xff;
  return data;
}
