/** The page before the page: what index.html has, with values. */
import type { RingState } from '../shared/ring/events.ts';
import { factsOf, headlineOf } from './facts.ts';

export class BriefPage {
  readonly #elements = new Map<string, HTMLElement>();
  /** What each element has: to ask a page takes longer than to remember. */
  readonly #values = new Map<string, string>();
  readonly #headline: Element | null;

  /** @param page has an element for each fact, and the headline */
  constructor(page: Element) {
    for (const element of page.querySelectorAll<HTMLElement>('[data-testid]'))
      this.#elements.set(element.dataset['testid'] ?? '', element);
    this.#headline = page.querySelector('#headline');
  }

  /** Puts in what has changed, which no one sees yet: drawing takes time from making links. */
  show(ring: RingState): void {
    for (const [testid, value] of Object.entries(factsOf(ring))) {
      if (this.#values.get(testid) === value) continue;
      this.#values.set(testid, value);
      this.#elements.get(testid)?.setAttribute('data-value', value);
    }
  }

  /** Says in words how it stands. */
  tell(ring: RingState): void {
    const headline = headlineOf(ring);
    if (this.#headline !== null && this.#headline.textContent !== headline)
      this.#headline.textContent = headline;
  }
}
