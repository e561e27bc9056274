/** The steps of a start, to be undone if it fails. */
import type { Logger } from '../contract/ports.js';
import { asError } from '../contract/errors.js';

export class Undo {
  private readonly steps: { readonly what: string; readonly end: () => Promise<unknown> }[] = [];

  /** `end` undoes the step that has just been taken. */
  add(what: string, end: () => Promise<unknown>): void {
    this.steps.push({ what, end });
  }

  /** Undoes the last step first. Never rejects: a failing step does not skip the others, and the start's error is the one to report. */
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
