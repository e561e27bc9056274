/** Subjects as nats-server takes them: filters, and transforms inside the server. */
import { fnv1a, utf8 } from '../../runtime/frames/bytes.js';
import type { StreamSpec } from '../../runtime/contract/ports.js';

/** Does a subject fit a filter? `*` stands for one token, `>` for one or more at the end. */
export function matches(filter: string, subject: string): boolean {
  if (filter === subject) return true;
  if (filter.endsWith('.>') && !filter.includes('*')) {
    return subject.length >= filter.length && subject.startsWith(filter.slice(0, -1));
  }
  const wanted = filter.split('.');
  const tokens = subject.split('.');
  for (const [at, token] of wanted.entries()) {
    if (token === '>') return tokens.length > at;
    if (at >= tokens.length || (token !== '*' && token !== tokens[at])) return false;
  }
  return wanted.length === tokens.length;
}

/** nats-server's subject transform: `{{wildcard(i)}}` and `{{partition(n,i,j…)}}`. */
export function transformed({ transform }: StreamSpec, subject: string): string {
  if (transform === undefined || !matches(transform.from, subject)) return subject;
  const tokens = subject.split('.');
  const wildcards = transform.from.split('.').flatMap((token, at) => (token === '*' ? [tokens[at]!] : []));
  return transform.to.replace(/\{\{(\w+)\(([\d, ]+)\)\}\}/g, (_, name: string, list: string) => {
    const numbers = list.split(',').map(Number);
    if (name === 'wildcard') return wildcards[numbers[0]! - 1]!;
    const [count, ...which] = numbers;
    return String(fnv1a(utf8(which.map((at) => wildcards[at - 1]!).join(''))) % count!);
  });
}
