/** The rules of the SPECs, and the ids of rules that the names of tests carry. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Where the rules are. */
const SPECS = ['shared/election/SPEC.md', 'shared/member/SPEC.md', 'shared/instances/SPEC.md'];

/** `R2a`: a rule; `R2`: its group, or a rule without one. */
const ID = /\b[RLCS]\d{1,2}[a-z]?\b/g;

/** A rule begins a paragraph or an item of a list, in bold. */
const BEGINNING = /^(?:- )?\*\*([RLCS]\d{1,2}[a-z]?)\. [^*]+\.\*\*(.*)$/;

/**
 * The words of each rule by its id, in order. A group that says nothing itself has none.
 * @throws Error where an id is there twice
 */
export function rulesOfSpecs(): ReadonlyMap<string, readonly string[]> {
  const rules = new Map<string, string[]>();
  for (const path of SPECS) {
    let words: string[] = [];
    for (const line of readFileSync(`${ROOT}${path}`, 'utf8').split('\n')) {
      const [, id, text = line] = BEGINNING.exec(line) ?? [];
      // What follows an empty line, or is another item, is not of the rule.
      if (id !== undefined || /^(- |#|$)/.test(line)) words = [];
      if (id !== undefined) {
        if (rules.has(id)) throw new Error(`${path} has ${id} twice`);
        rules.set(id, words);
      }
      words.push(...text.split(/\s+/).filter((word) => word !== ''));
    }
  }
  return rules;
}

/** The ids in a text. */
export function idsIn(text: string): readonly string[] {
  return text.match(ID) ?? [];
}

/** The titles of all tests, and the tables that some are made from, each with its file. */
export function namesOfTests(): readonly { readonly file: string; readonly name: string }[] {
  const files = readdirSync(`${ROOT}tests`, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.test.ts'))
    .flatMap((file) => namesIn(file).map((name) => ({ file: `tests/${file}`, name })));
}

function namesIn(file: string): string[] {
  const text = readFileSync(`${ROOT}tests/${file}`, 'utf8');
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isOfTests(node.expression))
      for (const each of [node.expression, ...node.arguments]) collect(each, names);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest));
  return names;
}

/** `test`, `describe`, and what is made of them: `test.each(…)`. */
function isOfTests(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return ['describe', 'test'].includes(node.text);
  return (
    (ts.isPropertyAccessExpression(node) || ts.isCallExpression(node)) && isOfTests(node.expression)
  );
}

/** What is written there, but not in the test itself. */
function collect(node: ts.Node, names: string[]): void {
  if (ts.isFunctionLike(node)) return;
  if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node)) names.push(node.text);
  ts.forEachChild(node, (child) => {
    collect(child, names);
  });
}
