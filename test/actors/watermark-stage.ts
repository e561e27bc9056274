/** The watermark stage with short times, and events for it. */
import { VIEW } from '../../actors/model.js';
import { type Trigger, watermark } from '../../actors/watermark.js';

export const DELAY = 10;
export const SKEW = 5;
export const IDLE_AFTER = 60;
export const EVERY = 25;
export const TRIGGERS: Readonly<Record<Trigger['kind'], Trigger>> = {
  frame: { kind: 'frame' },
  file: { kind: 'file' },
  interval: { kind: 'interval', everyMs: EVERY },
};

export const event = (time: number, type = VIEW) => ({ time, type, user: 'u', item: '1' });
/** As parse gives an event: with the time at which it was stored, where that is before its own. */
export const stored = (time: number, storedAt: number, type = VIEW) =>
  time > storedAt ? { ...event(time, type), storedAt } : event(time, type);
export const stageOf = (trigger: Trigger['kind'], popularity = true, engagements?: Uint8Array) =>
  watermark({
    ...{ trigger: TRIGGERS[trigger], popularity, delayMs: DELAY, skewMs: SKEW, idleAfterMs: IDLE_AFTER },
    ...(engagements === undefined ? {} : { engagements }),
  });
