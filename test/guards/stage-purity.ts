/**
 * What no file of actors/ may use: a clock, chance, the environment, asynchrony, or an RxJS operator that remembers.
 * A name counts only where it means the global or the RxJS export: a local `window` or an own `scan` is free.
 */
import ts from 'typescript';

export interface Impurity {
  readonly what: string;
  readonly why: string;
  readonly line: number;
}

const CLOCK = 'a clock: time is event time, a watermark or a tick';
const CHANCE = 'chance: a replay would differ';
const ENVIRONMENT = 'the environment: an actor learns only from its mailbox';
const LATE = 'asynchrony: all that an input causes is emitted before the next input is handed in';
const REMEMBERS = 'it keeps state in its closure, which no snapshot holds';
const RETRIES = 'it loses the message and resets state: let the actor fail and restore';

const GLOBALS: Readonly<Record<string, string>> = {
  performance: CLOCK,
  setTimeout: CLOCK,
  setInterval: CLOCK,
  setImmediate: CLOCK,
  Promise: LATE,
  queueMicrotask: LATE,
  crypto: CHANCE,
  WeakRef: CHANCE,
  FinalizationRegistry: CHANCE,
  process: ENVIRONMENT,
  global: ENVIRONMENT,
  globalThis: ENVIRONMENT,
  eval: ENVIRONMENT,
  Function: ENVIRONMENT,
  fetch: ENVIRONMENT,
  require: ENVIRONMENT,
  Intl: ENVIRONMENT,
  Worker: ENVIRONMENT,
  BroadcastChannel: ENVIRONMENT,
};

/** `Date` is also fine as `new Date(time)` and in `instanceof`. */
const DATE_MEMBERS = new Set(['UTC', 'parse']);
/** Results that depend on the machine's language. */
const LOCALE_MEMBER = /^(localeCompare|toLocale\w*)$/;

/** By prefix of the exported name, first match wins. */
const RXJS: readonly (readonly [prefix: RegExp, why: string])[] = [
  [/^(timer|interval|delay|debounceTime|throttleTime|auditTime|sampleTime|timeout|timestamp|timeInterval)/, CLOCK],
  [/^(bufferTime|windowTime|asyncScheduler|asapScheduler|animationFrame|VirtualTime)/, CLOCK],
  [
    /^(scan|mergeScan|switchScan|groupBy|buffer|window|distinct|share|publish|multicast|connectable|refCount)/,
    REMEMBERS,
  ],
  [/^(pairwise|withLatestFrom|combineLatest|zip|ReplaySubject|BehaviorSubject)/, REMEMBERS],
  [/^(retry|repeat)/, RETRIES],
];

export function impuritiesOf(path: string, text: string): Impurity[] {
  const { source, checker } = checked(path, text);
  const found: Impurity[] = [];
  const add = (node: ts.Node, what: string, why: string): void => {
    found.push({ what, why, line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1 });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    if (ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node)) return;
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) rxjsNames(node, add);
    else if (ts.isIdentifier(node) && isGlobal(node, checker)) globalUse(node, add);
    else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword) {
      add(node, 'import.meta', ENVIRONMENT);
    } else if (node.kind === ts.SyntaxKind.AsyncKeyword || node.kind === ts.SyntaxKind.AwaitKeyword) {
      add(node, ts.tokenToString(node.kind) ?? '', LATE);
    } else if (ts.isAwaitExpression(node)) add(node, 'await', LATE);
    const member = memberName(node);
    if (member !== undefined && LOCALE_MEMBER.test(member)) add(node, member, ENVIRONMENT);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

type Add = (node: ts.Node, what: string, why: string) => void;

function globalUse(node: ts.Identifier, add: Add): void {
  const name = node.text;
  const { parent } = node;
  const member = memberName(parent);
  if (Object.hasOwn(GLOBALS, name)) add(node, name, GLOBALS[name]!);
  else if (name === 'Math' && (member === undefined || member === 'random')) add(node, 'Math.random', CHANCE);
  else if (name === 'Date' && !isTimelessDate(parent, member)) add(node, 'Date', CLOCK);
}

/** One argument: none reads the clock, several read the machine's time zone. */
function isTimelessDate(parent: ts.Node, member: string | undefined): boolean {
  if (member !== undefined) return DATE_MEMBERS.has(member);
  if (ts.isNewExpression(parent)) return parent.arguments?.length === 1 && !ts.isSpreadElement(parent.arguments[0]!);
  return ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
}

function rxjsNames(node: ts.ImportDeclaration | ts.ExportDeclaration, add: Add): void {
  const from = node.moduleSpecifier;
  if (from === undefined || !ts.isStringLiteral(from) || !/^rxjs(\/|$)/.test(from.text)) return;
  const clause = ts.isImportDeclaration(node) ? node.importClause : node;
  if (clause?.isTypeOnly === true) return;
  const names = ts.isImportDeclaration(node) ? node.importClause?.namedBindings : node.exportClause;
  if (names === undefined || ts.isNamespaceImport(names) || ts.isNamespaceExport(names)) {
    add(node, `all of ${from.text}`, 'name what you use, so that it can be checked');
    return;
  }
  for (const element of names.elements) {
    const name = (element.propertyName ?? element.name).text;
    const why = RXJS.find(([prefix]) => prefix.test(name))?.[1];
    if (why !== undefined && !element.isTypeOnly) add(element, `rxjs ${name}`, why);
  }
}

/** The `b` of `a.b` and `a['b']`. */
function memberName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return node.argumentExpression.text;
  }
  return undefined;
}

/** Whether an identifier is read as a value that this file neither declares nor imports. */
function isGlobal(node: ts.Identifier, checker: ts.TypeChecker): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (ts.isPropertyAssignment(parent) && parent.name === node) return false;
  if (ts.isBindingElement(parent) && parent.propertyName === node) return false;
  if (ts.isMetaProperty(parent) || ts.isImportSpecifier(parent)) return false;
  if (ts.isLabeledStatement(parent) || ts.isBreakOrContinueStatement(parent)) return false;
  if (node.text === 'globalThis') return true;
  const symbol = ts.isShorthandPropertyAssignment(parent)
    ? checker.getShorthandAssignmentValueSymbol(parent)
    : checker.getSymbolAtLocation(node);
  return symbol === undefined || (symbol.declarations ?? []).length === 0;
}

/** One file alone, without library or imports: a name that does not resolve is a global. */
function checked(path: string, text: string): { source: ts.SourceFile; checker: ts.TypeChecker } {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const options: ts.CompilerOptions = { noLib: true, noResolve: true, types: [], allowJs: true };
  const program = ts.createProgram([path], options, {
    getSourceFile: (name) => (name === path ? source : undefined),
    getDefaultLibFileName: () => 'lib.d.ts',
    writeFile: () => undefined,
    getCurrentDirectory: () => '',
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => '\n',
    fileExists: (name) => name === path,
    readFile: (name) => (name === path ? text : undefined),
  });
  return { source, checker: program.getTypeChecker() };
}
