/** Messages that wait for their epoch (rule A2), as a part of the instance's state. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { HeldMessageSchema } from '../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { Cell, CellChange, CellStore } from './cells.js';
import type { LogMessage } from './ports.js';

export class HeldCell implements Cell {
  private readonly messages = new Map<number, LogMessage>();
  private changes = new Map<number, LogMessage | undefined>();

  get keys(): number {
    return this.messages.size;
  }

  /** In stream order. */
  all(): LogMessage[] {
    return [...this.messages.values()].sort((a, b) => a.sequence - b.sequence);
  }

  hold(message: LogMessage): void {
    // `slice` of a Buffer, which is what a socket gives, would be a view.
    const kept = { ...message, data: Uint8Array.from(message.data) };
    this.messages.set(message.sequence, kept);
    this.changes.set(message.sequence, kept);
  }

  release(sequence: number): void {
    this.messages.delete(sequence);
    this.changes.set(sequence, undefined);
  }

  restore(store: CellStore): void {
    this.messages.clear();
    this.changes.clear();
    for (const [key, bytes] of store.entries()) {
      const { subject, storedAtMs, data } = fromBinary(HeldMessageSchema, bytes);
      const sequence = Number(key);
      this.messages.set(sequence, { sequence, subject, storedAtMs, data, headers: {} });
    }
  }

  cut(): CellChange[] {
    const changes = [...this.changes].map(([sequence, message]) => ({
      key: String(sequence),
      value:
        message === undefined
          ? undefined
          : toBinary(
              HeldMessageSchema,
              create(HeldMessageSchema, {
                subject: message.subject,
                storedAtMs: message.storedAtMs,
                data: message.data,
              }),
            ),
    }));
    this.changes = new Map();
    return changes;
  }

  written(): void {
    // Held messages stay in memory until their epoch.
  }
}
