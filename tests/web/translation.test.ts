/**
 * A browser that translates a page replaces the page's text nodes with its own. Changes must be visible
 * then, too: this test checks the rules that components keep for that.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, type AST } from 'svelte/compiler';
import { expect, test } from 'vitest';

const WEB = fileURLToPath(new URL('../../web', import.meta.url));

type Node = AST.Fragment['nodes'][number];

/** Elements and blocks whose nodes come and go; Svelte finds the nodes by the first and last of them. */
function fragmentsOf(node: Node): readonly AST.Fragment[] {
  switch (node.type) {
    case 'IfBlock':
      return [node.consequent, ...(node.alternate === null ? [] : [node.alternate])];
    case 'EachBlock':
      return [node.body, ...(node.fallback === undefined ? [] : [node.fallback])];
    case 'KeyBlock':
      return [node.fragment];
    case 'SnippetBlock':
      return [node.body];
    case 'Component':
      return [node.fragment];
    default:
      return [];
  }
}

const isBlock = (node: Node) =>
  fragmentsOf(node).length > 0 || node.type === 'RenderTag' || node.type === 'HtmlTag';
const isWords = (node: Node) => node.type === 'Text' && node.data.trim() !== '';

/** Whether translators skip the content of an element. */
function isKept({ attributes }: AST.RegularElement): boolean {
  return attributes.some(
    (attribute) =>
      attribute.type === 'Attribute' &&
      Array.isArray(attribute.value) &&
      attribute.value.some(
        (part) =>
          part.type === 'Text' &&
          ((attribute.name === 'translate' && part.data === 'no') ||
            (attribute.name === 'class' && part.data.split(/\s+/).includes('notranslate'))),
      ),
  );
}

/** What a translator would break, as it stands in the source. */
function faultsOf(source: string): string[] {
  const faults: string[] = [];
  const note = (what: string, { start, end }: Node) => {
    faults.push(`${what}: ${source.slice(start, end).trim().slice(0, 60)}`);
  };
  const look = ({ nodes }: AST.Fragment, isOfBlock: boolean) => {
    for (const node of nodes) {
      if (node.type === 'ExpressionTag') note('words that change are set by use:says', node);
      if (isOfBlock && isWords(node)) note('words of a block are in an element', node);
      for (const fragment of fragmentsOf(node)) look(fragment, true);
      if (node.type !== 'RegularElement' || isKept(node)) continue;
      const { nodes: inner } = node.fragment;
      const block = inner.find(isBlock);
      if (block !== undefined && inner.some(isWords))
        note('an element has words of its own or blocks', block);
      look(node.fragment, false);
    }
  };
  look(parse(source, { modern: true }).fragment, true);
  return faults;
}

test('words that change, and words that come and go, are elements of their own', () => {
  const components = readdirSync(WEB, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.svelte'),
  );
  expect(components.length).toBeGreaterThan(10);
  const faults = components.flatMap((path) =>
    faultsOf(readFileSync(join(WEB, path), 'utf8')).map((fault) => `${path}: ${fault}`),
  );
  expect(faults).toEqual([]);
});

test('what breaks the rules is found', () => {
  expect(faultsOf('<p>{name} leads</p>')).toHaveLength(1);
  expect(faultsOf('{#if isOver}Over.{/if}')).toHaveLength(1);
  expect(faultsOf('<p>It is {#if isOver}<b>over</b>{/if}</p>')).toHaveLength(1);
  expect(faultsOf('<p translate="no">{name}</p><p class="notranslate">{name}</p>')).toEqual([]);
  expect(faultsOf('<p>It is <b translate="no">{name}</b></p>')).toEqual([]);
});
