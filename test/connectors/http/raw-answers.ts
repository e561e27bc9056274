/** Answers as they came over a socket, one after the other. */
import type { HttpAnswer } from './http-facade.js';

/** Throws when what came is no whole number of HTTP answers. */
export function rawAnswers(text: string): HttpAnswer[] {
  const answers: HttpAnswer[] = [];
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) throw new Error(`this is no answer: ${JSON.stringify(rest.toString())}`);
    const [line = '', ...fields] = rest.subarray(0, end).toString().split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) \S/.exec(line)?.[1]);
    if (!(status >= 100)) throw new Error(`this is no status line: ${line}`);
    const headers = Object.fromEntries(
      fields.map((field) => [
        field.slice(0, field.indexOf(':')).toLowerCase(),
        field.slice(field.indexOf(':') + 1).trim(),
      ]),
    );
    const from = end + 4;
    const to = from + lengthOf(status, headers);
    if (to > rest.length) throw new Error(`the body of the answer ${line} is not whole`);
    const body = rest.subarray(from, to).toString();
    rest = rest.subarray(to);
    if (status === 100) continue;
    answers.push({
      ...{ status, headers, text: body },
      get json() {
        return JSON.parse(body) as unknown;
      },
    });
  }
  return answers;
}

function lengthOf(status: number, headers: Readonly<Record<string, string>>): number {
  if (status === 100 || status === 204 || status === 304) return 0;
  const length = headers['content-length'];
  if (length === undefined) throw new Error('the answer does not say how long it is');
  return Number(length);
}
