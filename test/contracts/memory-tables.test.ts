import { MemoryKeyValue } from '../support/memory-key-value.js';
import { MemoryObjects } from '../support/memory-objects.js';
import { keyValueContract } from './key-value-contract.js';
import { objectsContract } from './objects-contract.js';

keyValueContract('in memory', async () => {
  let nowMs = 0;
  const table = new MemoryKeyValue();
  const leases = new MemoryKeyValue({ nowMs: () => nowMs, ttlMs: 1_000 });
  return {
    ...{ table, other: table, leases, leaseMs: 1_000 },
    elapse: async (ms) => {
      nowMs += ms;
    },
    stop: async () => undefined,
  };
});

objectsContract('in memory', async () => {
  const objects = new MemoryObjects();
  return {
    ...{ objects, other: objects },
    damage: async (name) => {
      objects.damage(name);
    },
    stop: async () => undefined,
  };
});
