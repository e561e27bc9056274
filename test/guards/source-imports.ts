/** Every way in which a source file names another module, read with TypeScript's own parser. */
import { posix } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** From the root and without extension for one of our files (`runtime/contract/stage`), else as written (`rxjs`). */
  readonly target: string;
  /** Nothing of it is left at run time. */
  readonly typeOnly: boolean;
  readonly line: number;
}

/** The target of a module name that is computed: no table can allow it. */
export const COMPUTED = '(computed)';

/**
 * Static, side-effect and type-only imports, re-exports, `import x = require()`, `import('…')` in values and in types,
 * `require('…')`, `/// <reference path>`, and `new URL('./…', import.meta.url)`, the way a worker's file is named.
 */
export function importsOf(path: string, text: string): Import[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ESNext, true);
  const found: Import[] = [];
  const add = (name: ts.Node | undefined, at: ts.Node, typeOnly: boolean): void => {
    const line = source.getLineAndCharacterOfPosition(at.getStart(source)).line + 1;
    const target = name !== undefined && ts.isStringLiteralLike(name) ? targetOf(path, name.text) : COMPUTED;
    found.push({ target, typeOnly, line });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node, importIsTypeOnly(node.importClause));
    else if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node.moduleSpecifier, node, exportIsTypeOnly(node));
    } else if (ts.isExternalModuleReference(node)) {
      add(node.expression, node, ts.isImportEqualsDeclaration(node.parent) && node.parent.isTypeOnly);
    } else if (ts.isImportTypeNode(node)) {
      add(ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined, node, true);
    } else if (ts.isCallExpression(node) && isLoad(node.expression)) add(node.arguments[0], node, false);
    else if (isModuleUrl(node)) add(node.arguments?.[0], node, false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  for (const { fileName, pos } of source.referencedFiles) {
    const line = source.getLineAndCharacterOfPosition(pos).line + 1;
    found.push({ target: targetOf(path, `./${fileName}`), typeOnly: true, line });
  }
  return found;
}

/** `../runtime/contract/stage.js` seen from actors/ is `runtime/contract/stage`; a package keeps its name. */
export function targetOf(from: string, specifier: string): string {
  if (!/^\.{1,2}(\/|$)/.test(specifier)) return specifier;
  return withoutExtension(posix.join(posix.dirname(from), specifier));
}

export const withoutExtension = (path: string): string => path.replace(/(\.d)?\.[cm]?[jt]sx?$/, '');

function importIsTypeOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const bindings = clause.namedBindings;
  return (
    clause.name === undefined && bindings !== undefined && ts.isNamedImports(bindings) && allTypes(bindings.elements)
  );
}

function exportIsTypeOnly(node: ts.ExportDeclaration): boolean {
  if (node.isTypeOnly) return true;
  return (
    node.exportClause !== undefined && ts.isNamedExports(node.exportClause) && allTypes(node.exportClause.elements)
  );
}

function allTypes(elements: readonly (ts.ImportSpecifier | ts.ExportSpecifier)[]): boolean {
  return elements.length > 0 && elements.every((element) => element.isTypeOnly);
}

function isLoad(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true;
  return ts.isIdentifier(callee) && callee.text === 'require';
}

function isModuleUrl(node: ts.Node): node is ts.NewExpression {
  if (!ts.isNewExpression(node) || node.expression.getText() !== 'URL') return false;
  const [name, base] = node.arguments ?? [];
  if (name === undefined || base?.getText() !== 'import.meta.url') return false;
  return ts.isStringLiteralLike(name) && /\.[cm]?[jt]s$/.test(name.text);
}
