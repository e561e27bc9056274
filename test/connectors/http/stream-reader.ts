/** Who listens to /trending/stream, and may stop reading. */
import type { IncomingMessage } from 'node:http';
import { onTestFinished } from 'vitest';
import { type Asked, asking } from './http-facade.js';

export interface StreamEvent {
  readonly event: string;
  readonly id: string;
  // What a test knows of it, it says itself.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly data: any;
}

export class StreamReader {
  readonly events: StreamEvent[] = [];
  /** Milliseconds after which a browser comes back. */
  retryMs: number | undefined;
  /** Resolves when the stream has ended as it should; rejects when it was cut. */
  readonly ended: Promise<void>;
  private text = '';

  private constructor(readonly message: IncomingMessage) {
    message.setEncoding('utf8');
    message.on('data', (part: string) => this.take(part));
    this.ended = new Promise((resolve, reject) => message.once('end', resolve).once('error', reject));
    this.ended.catch(() => undefined);
    onTestFinished(() => void message.destroy());
  }

  static async open(
    port: number,
    query = '',
    asked: Asked = {},
    scheme: 'http' | 'https' = 'http',
  ): Promise<StreamReader> {
    return new StreamReader(await asking(port, `/trending/stream${query}`, asked, scheme));
  }

  get names(): string[] {
    return this.events.map(({ event }) => event);
  }

  /** The items of the list, by applying all that was told. */
  get items(): string[] {
    let list: { item_id: string; rank: number }[] = [];
    for (const { event, data } of this.events) {
      if (event === 'snapshot') list = data.items;
      if (event !== 'delta') continue;
      const changed = [...data.entered, ...data.moved] as typeof list;
      const gone = new Set([...data.left, ...changed.map(({ item_id: id }) => id)]);
      list = [...list.filter(({ item_id: id }) => !gone.has(id)), ...changed].sort((a, b) => a.rank - b.rank);
    }
    return list.map(({ item_id: id }) => id);
  }

  private take(part: string): void {
    this.text += part;
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop()!;
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/s)));
      if (fields['retry'] !== undefined) this.retryMs = Number(fields['retry']);
      else this.events.push({ event: fields['event']!, id: fields['id']!, data: JSON.parse(fields['data']!) });
    }
  }
}
