/** Knobs and a logger for actors under test: small bounds, so that they are reached. */
import type { ActorTuning } from '../../runtime/actor/options.js';
import type { Logger } from '../../runtime/contract/ports.js';

export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export const TUNING: ActorTuning = {
  snapshotEveryMs: 100,
  snapshotEveryBytes: 1e9,
  inFlightMessages: 3,
  inFlightBytes: 1e9,
  frameMessages: 4,
  frameEveryMs: 0,
  trimEveryMs: 1_000,
  frameBytes: 1e6,
};
