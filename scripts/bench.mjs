/**
 * `npm run bench -- [--only a,b,…] [--runs N]`: the overhead over a minimal page and beside other
 * libraries, as docs/bench.md tells. The measures: p a cold phone, a tabs at once, b a join, c the leader's loss,
 * d messages of an election, e links of joins, f more tabs at once than the machine can well take,
 * g tabs that the network keeps apart.
 * With --only the files in docs/ stay as they are.
 * `npm run bench -- signaling [--runs N]` measures the signaling server alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBrowser, variableOf } from './browsers.mjs';
import { benchSignaling } from './bench-signaling.mjs';
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';
import { root, run } from './run.mjs';

const MEASURES = ['p', 'a', 'b', 'c', 'd', 'e', 'f', 'g'];

function readArguments() {
  try {
    const { values } = parseArgs({
      options: { only: { type: 'string', default: '' }, runs: { type: 'string', default: '5' } },
    });
    const only = values.only === '' ? MEASURES : values.only.split(',');
    for (const name of only)
      if (!MEASURES.includes(name))
        throw new Error(`--only takes some of ${MEASURES.join(',')}, not ${name}`);
    if (!/^[1-9]\d{0,2}$/.test(values.runs))
      throw new Error(`--runs must be a whole number from 1 to 999, not ${values.runs}`);
    return { only: new Set(only), runs: Number(values.runs) };
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    return process.exit(2);
  }
}

if (process.argv[2] === 'signaling') {
  await benchSignaling(process.argv.slice(3));
  process.exit();
}

const { only, runs } = readArguments();
await ensureInstalled();
await build();
const executable = await ensureBrowser('chromium');
process.env[variableOf('chromium')] = executable;

const { stopServers } = await import('../bench/contenders.mjs');
const { BURSTS, CROWD, RING, measureApart, measureBurst, measureChanges, measurePhone } =
  await import('../bench/measures.mjs');
const { NotInTime } = await import('../bench/tabs.mjs');
const report = await import('../bench/report.mjs');

/** More failures of another than ours than this, in all runs, and there is nothing to compare with. */
const MOST_STUCK = 5;

/** @type {Map<string, import('../bench/report.mjs').Timing>} */
const timings = new Map();

function note(what, contender, value) {
  if (value === undefined) return;
  const timing = timings.get(what) ?? { what };
  (timing[contender] ??= []).push(value);
  timings.set(what, timing);
  process.stderr.write(
    `${what.padEnd(32)} ${contender.padEnd(8)}${value.toFixed(0).padStart(6)}\n`,
  );
}

/** Runs of the others that came to nothing: a link of the floor that does not come up stays down. */
const stuck = {};

/** Runs again where the tabs of another than ours never agreed. */
async function untilAgreed(contender, run) {
  for (;;)
    try {
      return await run();
    } catch (error) {
      const times = stuck[contender] ?? 0;
      if (contender === 'ours' || !(error instanceof NotInTime) || times === MOST_STUCK)
        throw error;
      stuck[contender] = times + 1;
      process.stderr.write(`the tabs of ${contender} did not agree; once more\n`);
    }
}

async function burst(contender, count) {
  const { time, cpu } = await untilAgreed(contender, () => measureBurst(contender, count));
  note(`${count} tabs at once`, contender, time);
  note(`processor time of each of ${count}`, contender, cpu / count);
}

/** The phone is cold, not the server, which others have called before. */
async function phone(leads) {
  const { html, words, known, said, seen } = await measurePhone(leads);
  const name = leads ? `${report.PHONE} leads` : `${report.PHONE} follows`;
  note(`${report.PHONE}: HTML arrived`, 'ours', html);
  note(`${report.PHONE}: words after that`, 'ours', words - html);
  note(`${name}: leader known`, 'ours', known);
  note(`${name}: said after that`, 'ours', said - known);
  note(`${name}: leader seen`, 'ours', seen);
}

/** What a server brings together first, with code that has never run before. */
async function firstBurst(contender) {
  const { time } = await untilAgreed(contender, () => measureBurst(contender, RING));
  note(`${RING} tabs at a new server`, contender, time);
}

async function changes(contender) {
  const { joined, counted, closed, killed } = await untilAgreed(contender, () =>
    measureChanges(contender, { join: only.has('b'), loss: only.has('c') }),
  );
  note(`a tab joins ${RING}`, contender, joined);
  note(`and all show ${RING + 1}`, contender, counted);
  note('leader closed', contender, closed);
  note('leader killed', contender, killed);
}

/** What is measured of several programs, one right after the other: how fast a machine is changes by the minute. */
const comparisons = [];
if (only.has('a'))
  for (const { count, contenders } of BURSTS) {
    const comparison = { contenders, measure: (contender) => burst(contender, count) };
    // Twice in each run, as they take seconds, not minutes.
    comparisons.push(comparison, comparison);
  }
if (only.has('b') || only.has('c'))
  comparisons.push({ contenders: ['ours', 'floor'], measure: changes });

/** The programs that are measured at all. */
const oursAlone = ['p', 'f', 'g'].some((name) => only.has(name)) ? ['ours'] : [];
const measured = new Set([...comparisons.flatMap(({ contenders }) => contenders), ...oursAlone]);

try {
  for (const contender of measured) await firstBurst(contender);
  if (only.has('p'))
    for (let done = 0; done < runs; done += 1)
      for (const leads of [false, true]) await phone(leads);
  for (let done = 0; done < runs; done += 1)
    for (const [at, { contenders, measure }] of comparisons.entries()) {
      // Each goes first in its turn: what is left of the last browser may cost a little.
      const first = (done * comparisons.length + at) % contenders.length;
      for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)])
        await measure(contender);
    }

  // Of ours alone: the floor has no other way than direct ones.
  if (only.has('g'))
    for (let done = 0; done < runs; done += 1) {
      const { opened, closed, killed } = await measureApart('ours');
      note(`${RING} tabs kept apart at once`, 'ours', opened);
      note('leader closed, kept apart', 'ours', closed);
      note('leader killed, kept apart', 'ours', killed);
    }

  if (only.has('f'))
    try {
      await burst('ours', CROWD);
    } catch (error) {
      // What was measured before is not lost for it.
      if (!(error instanceof NotInTime)) throw error;
      process.stderr.write(`${CROWD} tabs did not agree: ${error.message}\n`);
      process.exitCode = 1;
    }
} finally {
  await stopServers();
}

/** First what a person sees. */
const isPhone = ({ what }) => what.startsWith(report.PHONE);
const rows = [...timings.values()];
const results = {
  timings: [...rows.filter(isPhone), ...rows.filter((row) => !isPhone(row))],
  stuck,
};
if (results.timings.length > 0)
  console.log(`\n${report.asText(report.timingRows(results.timings))}`);
if (only.has('d') || only.has('e')) {
  const { measureElections, measureJoins } = await import('../bench/simulated.mjs');
  if (only.has('d')) {
    results.elections = measureElections();
    console.log(`\n${report.asText(report.electionRows(results.elections))}`);
  }
  if (only.has('e')) {
    results.joins = measureJoins();
    console.log(`\n${report.asText(report.joinRows(results.joins))}`);
  }
}
if (only.size === MEASURES.length) {
  const { output } = await run([executable, '--version']);
  const browser = output.trim().split('\n').at(-1);
  const file = join(root, 'docs/bench.md');
  const signaling = report.signalingIn(readFileSync(file, 'utf8'));
  writeFileSync(file, report.withSignaling(report.markdown({ ...results, browser }), signaling));
  writeFileSync(join(root, 'docs/bench.svg'), report.plot(results.timings));
}
