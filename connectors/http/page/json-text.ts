/** Formats JSON text: only the white space between tokens changes, so that 1.10 stays 1.10. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{},:]|[^\s"[\]{},:]+/g;
const STEP = '  ';
/** Deeper nesting is not indented further: the text would grow with its square. */
const DEPTH_MAX = 40;

/** Text that is not JSON is returned unchanged. */
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
