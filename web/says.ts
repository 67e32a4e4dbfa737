import type { Action } from 'svelte/action';

/**
 * The text of an element, where it changes. A browser that translates a page replaces the page's text nodes
 * with its own, so that a change of the old nodes would not be seen. This replaces the whole content of the
 * element; the translator notices that and translates it again.
 */
export const says: Action<Element, string | number> = (element, words) => {
  const put = (words: string | number) => {
    element.textContent = String(words);
  };
  put(words);
  return { update: put };
};
