import type { Action } from 'svelte/action';

/**
 * The words of an element, where they change. A browser that translates a page puts nodes of its own in
 * place of the page's text nodes, so that a change of one of these would be seen by nobody. This puts all
 * that is in the element anew; the translator sees that and translates it again.
 */
export const says: Action<Element, string | number> = (element, words) => {
  const put = (words: string | number) => {
    element.textContent = String(words);
  };
  put(words);
  return { update: put };
};
