/** The fixed texts of the OpenAPI document. */

export const ABOUT = [
  'A real-time recommendation engine: events in, recommendations and trending lists out.',
  'Fields are snake_case; times are ISO-8601 in UTC with milliseconds; what is not known is absent. Ids are text.',
  'Every answer has an `x-request-id`: that of the request if it has a short plain one, else a new one. What is refused is told as problem details ' +
    '(RFC 9457) with a `reason` that programs may match. Beside the statuses of its route, a request may get 404 and 405 for what there is not, 408 ' +
    'when it is not complete in time, and 503 while the node stops.',
  'HEAD is answered wherever GET is, but for streams.',
].join('\n\n');

export const TAGS: Readonly<Record<string, string>> = {
  About: 'What this is, and how it is',
  Recommendations: 'Ranked lists for users, with scores and reasons',
  Trending: 'What is looked at and bought most, now and live',
  Events: 'Events in',
  Items: 'The catalogue',
  'Dead letters': 'Events that were refused, why, and sending them again',
  'Late events': 'Events that came after their window was closed',
  Operations: 'For who runs the node',
};

export const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'Something is wrong with the request: `errors` names each field',
  401: 'The token (or the certificate) is missing or not good',
  403: 'A page of a site that is not on the list may not send anything; on loopback, a host that is not known may not ask',
  404: 'There is none',
  405: 'The method is not for this path: `allow` says which are',
  408: 'The request was not complete in time',
  409: 'Not as things stand',
  413: 'The body is too long',
  415: 'This content-type is not taken, or a content-encoding',
  417: 'The header expect asks for something else than 100-continue',
  429: 'Too fast, or too much at once',
  431: 'The headers are too long',
  500: 'Internal error: the log of the node says more',
  503: 'Not now: the node stops, or waits for what it depends on',
};
