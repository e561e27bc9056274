/** For what a test waits for: patient, because a machine that is busy with something else may stand still for seconds. */
import { vi } from 'vitest';

const PATIENCE = { timeout: 30_000, interval: 20 };

/** What `look` gives as soon as it throws nothing; its last error when it never does. */
export function eventually<T>(look: () => T | Promise<T>, patience: Partial<typeof PATIENCE> = {}): Promise<T> {
  return vi.waitFor(look, { ...PATIENCE, ...patience });
}

const PAUSE_MS = 50;

/** What `ask` gives as soon as it is what a test waits for; a test that waits too long ends by its own timeout. */
export async function until<T>(ask: () => Promise<T>, isThere: (found: T) => boolean): Promise<T> {
  for (;;) {
    const found = await ask();
    if (isThere(found)) return found;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
