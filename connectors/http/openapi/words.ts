/** The fixed texts of the OpenAPI document. */

export const ABOUT = [
  'A real-time recommendation engine: events in, recommendations and trending lists out.',
  'Fields are snake_case; times are ISO-8601 in UTC with milliseconds; unknown values are absent. Ids are strings.',
  'Every response has an `x-request-id`: that of the request if it is short plain text, else a new one. Errors are problem details (RFC 9457) ' +
    'with a `reason` that programs may match. Beside the statuses of its route, a request may get 404 for an unknown path, 405 for a method that ' +
    'the path does not have, 408 when it is not complete in time, and 503 while the node stops.',
  'HEAD works wherever GET does, except for streams.',
].join('\n\n');

export const TAGS: Readonly<Record<string, string>> = {
  About: 'The service and its health',
  Recommendations: 'Ranked lists for users, with scores and reasons',
  Trending: 'Trending items, as a list and as a live stream',
  Events: 'Publishing events',
  Items: 'The item catalogue',
  'Dead letters': 'Refused events with the reason, and retrying them',
  'Late events': 'Events that came after their window was closed',
  Operations: 'Metrics and status, for operators',
};

export const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The request is invalid: `errors` names each field',
  401: 'The token or client certificate is missing or invalid',
  403: 'The origin is not on the allow-list; on loopback, the host of the request is unknown',
  404: 'Not found',
  405: 'The path does not have this method: `allow` lists those it has',
  408: 'The request was not complete in time',
  409: 'Conflicts with the current state',
  413: 'The body is too large',
  415: 'The content-type or content-encoding is not supported',
  417: 'The header `expect` has a value other than 100-continue',
  429: 'The rate or concurrency limit is exceeded',
  431: 'The headers are too large',
  500: 'Internal error: see the log of the node',
  503: 'Not available now: the node is stopping, or waits for a dependency',
};
