/** The page's first stage: what index.html has, with values. What a page that was cut off lacks is passed over. */
import type { RingState } from '../shared/member/events.ts';
import { hueOf, nameOf, shortId } from '../shared/narration/names.ts';
import { connectionOf, factsOf, headlineOf, outlookOf } from './facts.ts';

/** Says which room the page is for, and with that that its program runs. */
export function showRoom(name: string): void {
  change('.room strong', (room) => {
    room.textContent = name;
  });
  change('.not-started', (notice) => {
    notice.remove();
  });
}

/** Says that no room has the name that the address gives. */
export function showNoRoom(): void {
  setValue('role', 'offline');
  showConnection('not in the ring', 'bad');
  change('.said', (said) => {
    said.textContent = 'There is no such room';
  });
  change('.why', (why) => {
    why.textContent = '';
  });
}

/** Shows how the member fares, in words that are those of the whole page. */
export function showInShell(ring: RingState): void {
  for (const [testid, value] of Object.entries(factsOf(ring))) setValue(testid, value);
  setValue('announcement', ring.leader ?? '');
  const { text, tone } = connectionOf(ring);
  showConnection(text, tone);
  const headline = headlineOf(ring);
  change('.verdict', (verdict) => {
    verdict.className = `verdict hued ${headline.tone}`;
    setHue(verdict, ring.leader ?? ring.id);
  });
  change('.own', (own) => {
    const name = span('name hued', nameOf(ring.id));
    setHue(name, ring.id);
    put(own, 'This tab is ', name, ' ', span('', shortId(ring.id)));
  });
  change('.said', (said) => {
    const star = headline.isDecided ? [span('star', '★'), ' '] : [];
    const name = headline.name === '' ? [] : [span('name', headline.name), ' '];
    put(said, ...star, ...name, headline.words);
  });
  change('.why', (why) => {
    put(why, outlookOf(ring));
  });
}

function showConnection(text: string, tone: string): void {
  change('.connection', (connection) => {
    connection.className = `connection ${tone}`;
    put(connection, `● ${text}`);
  });
}

function setValue(testid: string, value: string): void {
  change(`[data-testid=${testid}]`, ({ dataset }) => {
    if (dataset['value'] !== value) dataset['value'] = value;
  });
}

function change(selector: string, use: (element: HTMLElement) => void): void {
  const element = document.querySelector<HTMLElement>(selector);
  if (element !== null) use(element);
}

/** Puts words in an element that has others. Most changes of a ring change none, and to lay them out takes time. */
function put(element: HTMLElement, ...words: readonly (string | HTMLElement)[]): void {
  const text = words.map((part) => (typeof part === 'string' ? part : part.textContent)).join('');
  if (element.textContent !== text) element.replaceChildren(...words);
}

function setHue({ style }: HTMLElement, id: RingState['id']): void {
  style.setProperty('--hue', String(hueOf(id)));
}

/** Of what no browser should translate. */
function span(className: string, text: string): HTMLElement {
  const element = document.createElement('span');
  element.className = className;
  element.translate = false;
  element.textContent = text;
  return element;
}
