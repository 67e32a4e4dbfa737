/** The log of the page: searched, paused, saved, and smooth with thousands of entries. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { defined, peerId } from '../support.ts';
import { ringState } from '../web/ring-state.ts';
import { showMember, openShowcase } from './showcase.ts';
import { byRole, openTabs, PATIENCE, setStage, until, untilOneRing, type Tab } from './support.ts';

const stage = setStage();

/** The whole page, once it is there. */
async function openRing(count: number): Promise<Tab> {
  const tabs = await openTabs(stage.browser, count, stage.url);
  await untilOneRing(tabs);
  const tab = defined(tabs[0]);
  await tab.page.bringToFront();
  await tab.page.waitForSelector('[data-testid=event]', { timeout: PATIENCE });
  return tab;
}

const kinds = async (tab: Tab) => new Set((await tab.log()).map(({ kind }) => kind));
const entries = async (tab: Tab) => Number((await tab.values())['event-log']);
const choose = (tab: Tab, kind: string) => tab.page.click(`.chip.${kind}`);

test('entries say in the first person what was compared, and call peers by name', async () => {
  const tabs = await openTabs(stage.browser, 3, stage.url);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  // Its claim is greater than that of each receiver; the leader itself receives only its own.
  await leader.click('Start election');
  await until(async () => {
    const log = await defined(others[0]).log();
    const claims = log.filter(({ text }) => text.includes('received claim'));
    const NAMED = String.raw`[0-9a-f]{8} \([a-z]+ [a-z]+\)`;
    const TOLD = new RegExp(
      `received claim ${NAMED} of term \\d+ from ${NAMED} [<>] mine [0-9a-f]{8},? (so|and) I `,
    );
    expect(claims.some(({ text }) => TOLD.test(text))).toBe(true);
  });
});

test('chips show only some kinds, each with its count, and by keyboard too', async () => {
  const tab = await openRing(2);
  const all = await kinds(tab);
  expect(all.size).toBeGreaterThan(4);
  await choose(tab, 'leader');
  await until(async () => {
    expect(await kinds(tab)).toEqual(new Set(['leader']));
  });
  await until(async () => {
    const [chip, count] = await tab.page.evaluate(() => [
      document.querySelector('.chip.leader')?.textContent.replaceAll(/\s+/g, ' ').trim(),
      document.querySelectorAll('[data-testid=event]').length,
    ]);
    expect(chip).toBe(`leader ${count}`);
  });
  await tab.page.focus('.chip.neighbour input');
  await tab.page.keyboard.press('Space');
  await until(async () => {
    expect(await kinds(tab)).toEqual(new Set(['leader', 'neighbour']));
  });
  // Hidden entries are counted, too.
  expect(await entries(tab)).toBeGreaterThan((await tab.log()).length);
  await tab.click('Show all');
  await until(async () => {
    expect((await kinds(tab)).size).toBeGreaterThanOrEqual(all.size);
  });
});

test('how much is found is read out when the search changes, not with each event', async () => {
  const page = await openShowcase(stage.browser);
  onTestFinished(async () => {
    await page.close();
  });
  const self = peerId(1);
  await showMember(page, ringState([self, peerId(2)], self));
  const happen = () =>
    page.evaluate((by) => {
      tell({ type: 'pace', hopDelay: 100, by });
    }, self);
  const untilFound = (text: string) =>
    page.waitForFunction(
      (wanted) => document.querySelector('.found')?.textContent.includes(wanted),
      { timeout: PATIENCE },
      text,
    );
  const said = () => page.$eval('[data-testid=log-status]', ({ textContent }) => textContent);
  await happen();
  await page.waitForSelector('[data-testid=event]');
  await page.type('input[type=search]', 'hop delay');
  await untilFound('1 of 1 entries.');
  expect(await said()).toBe('1 of 1 entries.');
  await happen();
  await untilFound('2 of 2 entries.');
  expect(await said()).toBe('1 of 1 entries.');
  await page.type('input[type=search]', ' of');
  await untilFound('2 of 2 entries.');
  expect(await said()).toBe('2 of 2 entries.');
});

test('a search finds words, and whole uuids that entries shorten', async () => {
  const tab = await openRing(2);
  const { 'successor-id': successor = '' } = await tab.values();
  await tab.page.type('input[type=search]', successor);
  await until(async () => {
    const log = await tab.log();
    expect(log.length).toBeGreaterThan(0);
    expect(log.length).toBeLessThan(await entries(tab));
    for (const { text } of log) expect(text).toContain(successor.slice(0, 8));
  });
  await tab.page.$eval('input[type=search]', (element) => {
    element.value = '';
  });
  await tab.page.type('input[type=search]', 'JOINED room');
  await until(async () => {
    expect((await tab.log()).map(({ kind }) => kind)).toEqual(['server']);
  });
  await tab.page.type('input[type=search]', ' nothing of the kind');
  await until(async () => {
    expect(await tab.log()).toEqual([]);
    const said = await tab.page.$eval('[data-testid=event-log]', ({ textContent }) => textContent);
    expect(said).toContain('No such entries');
  });
});

test('a log that is paused stands still while entries go on being kept', async () => {
  const tab = await openRing(2);
  await tab.click('Pause log');
  await tab.page.waitForSelector('[aria-pressed=true]');
  const before = await tab.log();
  await tab.click('Start election');
  await tab.page.waitForSelector('.fresh');
  await until(async () => {
    // Both at the same moment: more come at any time, between the pause and the election too.
    const [all, news] = await tab.page.evaluate(() => [
      document.querySelector<HTMLElement>('[data-testid=event-log]')?.dataset['value'],
      document.querySelector('.fresh')?.textContent,
    ]);
    expect(news).toBe(`${Number(all) - before.length} new`);
    expect(Number(all)).toBeGreaterThan(before.length);
  });
  expect(await tab.log()).toEqual(before);
  // Repeated where the first showed what came before the election.
  await until(async () => {
    await (await tab.page.$('.fresh'))?.click();
    const after = await tab.log();
    expect(after.length).toBeGreaterThan(before.length);
    expect(after.some(({ text }) => text.includes('asked for here'))).toBe(true);
  });
  await tab.click('Pause log');
  await until(async () => {
    expect(await tab.page.$('[aria-pressed=true]')).toBe(null);
  });
});

test('the log is saved as JSON lines, one object each', async () => {
  const tab = await openRing(2);
  const folder = await mkdtemp(join(tmpdir(), 'ringleader-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const session = await tab.page.createCDPSession();
  await session.send('Browser.setDownloadBehavior', {
    behavior: 'allow',
    downloadPath: folder,
    browserContextId: tab.page.browserContext().id ?? '',
  });
  const { 'own-id': id, 'leader-id': leader, term } = await tab.values();
  // The log is drawn later than the values.
  await until(async () => {
    const log = await tab.log();
    const isOfTerm = ({ kind, text }: (typeof log)[number]) =>
      kind === 'leader' && text.includes(`of term ${term}`);
    expect(log.some(isOfTerm)).toBe(true);
  });
  await tab.click('Download JSON');
  const text = await until(async () => {
    const [file] = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
    const content = await readFile(join(folder, file ?? ''), 'utf8');
    expect(content).not.toBe('');
    return content;
  });
  const lines: unknown[] = text
    .trimEnd()
    .split('\n')
    .map((line): unknown => JSON.parse(line));
  for (const line of lines) expect(line).toMatchObject({ id });
  expect(lines).toContainEqual(expect.objectContaining({ event: 'joined', room: 'lobby' }));
  expect(lines).toContainEqual(
    expect.objectContaining({ event: 'leader', leader, term: Number(term) }),
  );
});
