/** JSON set out for reading, as it was written: only white space between its tokens is changed, so that 1.10 stays 1.10. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s"[\]{},:]+/g;
const STEP = '  ';
/** What is nested more deeply is not set out further: the text would grow with its square. */
const DEPTH_MAX = 40;

/** What is no JSON is as it came. */
export function setOut(text: string): string {
  if (!isJson(text)) return text;
  const tokens = text.match(TOKEN)!;
  const lines: string[] = [];
  let depth = 0;
  const breakLine = (): void => void lines.push(`\n${STEP.repeat(Math.min(depth, DEPTH_MAX))}`);
  tokens.forEach((token, i) => {
    const isEnd = token === '}' || token === ']';
    const wasBegin = i > 0 && (tokens[i - 1] === '{' || tokens[i - 1] === '[');
    if (isEnd) depth--;
    if (isEnd !== wasBegin) breakLine();
    lines.push(token === ':' ? ': ' : token);
    if (token === '{' || token === '[') depth++;
    if (token === ',') breakLine();
  });
  return lines.join('');
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
