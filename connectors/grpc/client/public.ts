/** The exports of the package `rivulet`: the typed client, with the arguments, results and errors of its calls. All of it is kept compatible. */
export { EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
export { CallError } from './call-error.js';
export { connectRivulet } from './client.js';
export type * from './client.js';
