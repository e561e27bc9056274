/** Encoded events that go together in one message: lines of JSON, or pieces of an EventBatch, which is their concatenation. */

/** Well below the size of one message that a node reads (pipeline.messageBytesMax), and the number of events in it. */
const MESSAGE_BYTES = 128 * 1024;
const MESSAGE_EVENTS = 1_000;

export class MessageBatch {
  private readonly bytesMax: number;
  private bytes: Uint8Array;
  private used = 0;
  private events = 0;

  constructor(bytesMax = MESSAGE_BYTES) {
    this.bytesMax = Math.min(bytesMax, MESSAGE_BYTES);
    this.bytes = new Uint8Array(this.bytesMax);
  }

  /** Adds the bytes [0, end) of an event. Returns the message before it, if the event does not fit into that one. */
  add(event: Uint8Array, end = event.length): Uint8Array | undefined {
    const isFull = this.used + end > this.bytesMax || this.events === MESSAGE_EVENTS;
    const full = isFull ? this.take() : undefined;
    if (end > this.bytes.length) this.bytes = new Uint8Array(end);
    this.bytes.set(end === event.length ? event : event.subarray(0, end), this.used);
    this.used += end;
    this.events++;
    return full;
  }

  /** The message as it is; absent: it has no event. */
  take(): Uint8Array | undefined {
    if (this.events === 0) return undefined;
    const message = this.bytes.slice(0, this.used);
    [this.used, this.events] = [0, 0];
    return message;
  }
}
