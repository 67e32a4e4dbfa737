/** The contract of links as tests of one implementation. */
import { describe, test } from 'vitest';
import { checkLink, LINK_PROMISES, type LinkGround, type LinkPromise } from './link-promises.ts';

/** Promises that mean nothing for an implementation, each with the reason why. */
export type Exceptions = Partial<Record<LinkPromise, string>>;

/**
 * Tests an implementation by each promise.
 * @param makePair prepares what both ends of links are made with
 */
export function linkContract(
  name: string,
  makePair: () => LinkGround | Promise<LinkGround>,
  exceptions: Exceptions = {},
): void {
  testPromises(name, async (promise) => checkLink(promise, await makePair()), exceptions);
}

/** The same for one whose checks run elsewhere, as in a page. */
export function testPromises(
  name: string,
  check: (promise: LinkPromise) => Promise<void>,
  exceptions: Exceptions = {},
): void {
  describe(`links: ${name}`, () => {
    for (const promise of promises())
      if (exceptions[promise] === undefined) test(promise, () => check(promise));
  });
}

function promises(): LinkPromise[] {
  return Object.keys(LINK_PROMISES).filter(isPromise);
}

function isPromise(name: string): name is LinkPromise {
  return Object.hasOwn(LINK_PROMISES, name);
}
