/** The page's components without a ring in a real browser, given what a ring would have told them. */
import type { Browser, BrowserContext, Page } from 'puppeteer-core';
import { inject } from 'vitest';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { factsOf } from '../../web/facts.ts';
import type { Sight } from '../../web/ring-member.ts';
import type { TokenHere } from '../../web/token-here.ts';
import type { Token } from '../../web/tokens.ts';
import type { WatchHandlers } from '../../web/watch/connection.ts';
import { PATIENCE } from './support.ts';

declare global {
  /** Of the showcase's page. */
  var mountMember: (sight: Sight) => void;
  var tell: (event: RingEvent, next?: Sight) => void;
  /** The hop delays that the member was asked to set. */
  var settings: number[];
  var mountWatched: () => void;
  var watched: WatchHandlers;
  var mountShown: (component: string, props: unknown) => void;
}

/** Nothing is known yet of where links go. */
export const NO_WAYS = { successor: 'none', predecessor: 'none' } as const;

/** The whole page, for a member that {@link tell} controls. */
export async function showMember(page: Page, ring: RingState): Promise<void> {
  const sight: Sight = { ring, facts: factsOf(ring), ways: NO_WAYS };
  await page.evaluate((given) => {
    mountMember(given);
  }, sight);
}

/** Gives the shown member an event, and its state after it. */
export async function tellMember(page: Page, event: RingEvent, ring: RingState): Promise<void> {
  const sight: Sight = { ring, facts: factsOf(ring), ways: NO_WAYS };
  await page.evaluate(
    (told, next) => {
      tell(told, next);
    },
    event,
    sight,
  );
}

/** As if so much time had passed, by the page's clock. */
export async function passTime(page: Page, milliseconds: number): Promise<void> {
  await page.evaluate((ahead) => {
    const now = Date.now;
    Date.now = () => now() + ahead;
  }, milliseconds);
}

/** The projector page, for a room that {@link watched} controls. */
export async function showWatched(page: Page): Promise<void> {
  await page.evaluate(() => {
    mountWatched();
  });
}

export interface Shown {
  RingPicture: { ring: RingState; tokens: readonly Token[] };
  TokenHere: { here: TokenHere };
  Verdict: { ring: RingState; since: number | null };
}

/**
 * The showcase, in a new tab.
 * @param where a browser, or a context of one with its own window
 * @param prepare does something to the tab before it opens the page
 */
export async function openShowcase(
  where: Browser | BrowserContext,
  prepare: (page: Page) => Promise<unknown> = () => Promise.resolve(),
): Promise<Page> {
  const page = await where.newPage();
  page.setDefaultTimeout(PATIENCE);
  await prepare(page);
  await page.goto(inject('showcase'));
  await page.waitForSelector('[data-ready=true]');
  return page;
}

export async function show<Name extends keyof Shown>(
  page: Page,
  component: Name,
  props: Shown[Name],
): Promise<void> {
  await page.evaluate(
    (name, given) => {
      mountShown(name, given);
    },
    component,
    props,
  );
}
