/** What a start has begun, to be ended where it does not come to its end. */
import type { Logger } from '../contract/ports.js';
import { asError } from '../contract/errors.js';

export class Undo {
  private readonly steps: { readonly what: string; readonly end: () => Promise<unknown> }[] = [];

  /** `end` what was begun just now. */
  add(what: string, end: () => Promise<unknown>): void {
    this.steps.push({ what, end });
  }

  /** The last one first. Never rejects: what cannot be ended keeps nothing else from being ended, and the error of the start is the one to be told. */
  async run(logger: Logger): Promise<void> {
    for (const { what, end } of this.steps.splice(0).reverse()) {
      try {
        await end();
      } catch (error) {
        logger.warn({ err: asError(error) }, `the start has failed, and ${what} cannot be ended`);
      }
    }
  }
}
