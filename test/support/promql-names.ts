/** The names of metrics in a PromQL expression: identifiers that are no label, no function, no keyword. */
const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'on', 'without', 'ignoring', 'inf', 'nan']);

export function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/"[^"]*"|'[^']*'/g, '""')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = bare.match(/(?<![\w.:$])[a-zA-Z_:][\w:]*(?![\w:]*\s*\()/g) ?? [];
  return names.filter((name) => !KEYWORDS.has(name.toLowerCase()));
}
