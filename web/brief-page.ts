/** The page before the page: what index.html has, with values. */
import type { RingState } from '../shared/ring/events.ts';
import { factsOf, headlineOf } from './facts.ts';

/** Puts in what has changed; whatever is drawn anew takes time from making links. */
export function showBriefly(ring: RingState): void {
  for (const [testid, value] of Object.entries(factsOf(ring))) {
    const element = document.querySelector<HTMLElement>(`[data-testid=${testid}]`);
    if (element !== null && element.dataset['value'] !== value) element.dataset['value'] = value;
  }
  const headline = document.getElementById('headline');
  if (headline !== null && ring.leader !== null && headline.textContent !== headlineOf(ring))
    headline.textContent = headlineOf(ring);
}
