/** For what a test waits for: patient, because a machine that is busy with something else may stand still for seconds. */
import { vi } from 'vitest';

const PATIENCE = { timeout: 30_000, interval: 20 };

/** What `look` gives as soon as it throws nothing; its last error when it never does. */
export function eventually<T>(look: () => T | Promise<T>, patience: Partial<typeof PATIENCE> = {}): Promise<T> {
  return vi.waitFor(look, { ...PATIENCE, ...patience });
}
