/**
 * What is measured, of the program, the floor and the references alike. All tabs are in one browser on
 * one machine, so a number by itself says little: the ratio of two in the same minutes is the result.
 */
import { performance } from 'node:perf_hooks';
import { visitAsPhone } from './cold-phone.mjs';
import { serverOf } from './contenders.mjs';
import { Tabs } from './tabs.mjs';

/** Numbers of tabs opened at once, and by which programs. */
export const BURSTS = [
  { count: 3, contenders: ['ours', 'floor'] },
  { count: 12, contenders: ['ours', 'floor', 'peerjs', 'y-webrtc'] },
  { count: 30, contenders: ['ours', 'floor', 'peerjs'] },
];

/** The number that is tried once, and of ours alone. */
export const CROWD = 60;

/** The ring that a cold phone joins. */
const PAIR = 2;

/** The ring whose changes are measured, and whose tabs are the first that a server has. */
export const RING = 12;

const now = () => performance.timeOrigin + performance.now();

/** @typedef {import('./contenders.mjs').Contender} Contender */

let rooms = 0;

/**
 * Runs in one browser of its own, and in a room of its own, as our server keeps places for a while.
 * The floor and PeerJS know no rooms, and forget their peers as they go.
 * @param {Contender} contender
 * @param {{ sizes?: boolean, apart?: boolean }} options of its tabs
 * @param {(tabs: Tabs) => Promise<object>} measure
 */
async function inBrowser(contender, options, measure) {
  rooms += 1;
  const tabs = await Tabs.launch(`${await serverOf(contender)}?room=run-${rooms}`, options);
  try {
    return await measure(tabs);
  } finally {
    await tabs.close();
  }
}

/**
 * (p) A cold phone joins a ring of two: when a person sees what. Of ours alone: no other has a page to see.
 * @param {boolean} leads whether the phone is the one that will lead
 */
export function measurePhone(leads) {
  return inBrowser('ours', {}, async (tabs) => {
    await openRing(tabs, PAIR);
    return visitAsPhone(await tabs.newPage(), tabs.url, leads ? 'ffffffff' : '00000000');
  });
}

/**
 * (a) Tabs opened at once: from the start of the last one's navigation until all show the same
 * leader, and the processor time that the browser took for it.
 */
export function measureBurst(contender, count) {
  return inBrowser(contender, {}, async (tabs) => {
    await tabs.prepare(count);
    const cpu = await tabs.cpu();
    await tabs.navigate();
    const agreed = await tabs.untilAgreed();
    return { time: agreed - tabs.lastStart, cpu: ((await tabs.cpu()) - cpu) * 1_000 };
  });
}

/**
 * (b) A tab joins a ring: from the start of its navigation until all, the newcomer too, show the
 * right leader, which is the newcomer itself once in thirteen times. Where it is not, nothing changes
 * for the others; `counted` is when all show the new size as well, which the floor cannot.
 * (c) The leader's tab is closed, and the leader's process is killed: from then until all others show
 * the new leader.
 */
export function measureChanges(contender, { join, loss }) {
  return inBrowser(contender, { sizes: join }, async (tabs) => {
    const result = {};
    await openRing(tabs, RING);
    if (loss) {
      result.closed = await closeLeader(tabs);
      await openRing(tabs, RING);
      result.killed = await killLeader(tabs);
      if (join) await openRing(tabs, RING);
    }
    if (join) {
      result.joined = (await openRing(tabs, RING + 1)) - tabs.lastStart;
      if (contender === 'ours') result.counted = (await tabs.untilCounted()) - tabs.lastStart;
    }
    return result;
  });
}

/**
 * (g) The same where the network keeps the tabs apart, so that all goes through the server: tabs opened
 * at once, the leader's tab closed, and the leader's process killed.
 */
export function measureApart(contender) {
  return inBrowser(contender, { apart: true }, async (tabs) => {
    const opened = (await openRing(tabs, RING)) - tabs.lastStart;
    const closed = await closeLeader(tabs);
    await openRing(tabs, RING);
    const killed = await killLeader(tabs);
    return { opened, closed, killed };
  });
}

/** Kills the process of the leader's tab; returns how long it took the others to agree on the next. */
async function killLeader(tabs) {
  const { leader } = tabs;
  const pid = await tabs.findProcess(leader);
  await tabs.rest();
  const start = now();
  tabs.kill(leader, pid);
  return (await tabs.untilAgreed()) - start;
}

/** Closes the leader's tab; returns how long it took the others to agree on the next. */
async function closeLeader(tabs) {
  const start = now();
  await tabs.closeTab(tabs.leader);
  return (await tabs.untilAgreed()) - start;
}

/** Opens tabs until there are so many, and rests once they agree; returns since when they do. */
async function openRing(tabs, count) {
  await tabs.prepare(count - tabs.count);
  await tabs.navigate();
  const agreed = await tabs.untilAgreed();
  await tabs.rest();
  return agreed;
}
