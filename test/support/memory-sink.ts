/** A sink as a file would be: what was written may stand there without being durable; `open` cuts it back to a position. */
import { type Frame, rowsOf } from '../../runtime/frames/frame.js';
import type { Sink } from '../../runtime/contract/ports.js';

export class MemorySink implements Sink {
  closed = false;

  constructor(
    readonly lines: string[],
    private readonly turn: () => Promise<void> = () => Promise.resolve(),
  ) {}

  async open(position: string | undefined): Promise<void> {
    this.lines.length = Number(position ?? 0);
  }

  async write(topic: string, epoch: number, frame: Frame): Promise<void> {
    await this.turn();
    for (const row of rowsOf(frame)) this.lines.push(JSON.stringify([topic, epoch, row]));
  }

  async sync(): Promise<string> {
    const position = this.lines.length;
    await this.turn();
    return String(position);
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
