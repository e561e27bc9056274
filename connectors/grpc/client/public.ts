/** What services import from `rivulet`: the typed client, and what its calls take and throw. All that this names is kept compatible. */
export { EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
export { CallError } from './call-error.js';
export { connectRivulet } from './client.js';
export type * from './client.js';
