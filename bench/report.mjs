/** What was measured, as text for the terminal, as Markdown and as a plot. */
import { availableParallelism, cpus } from 'node:os';
import * as echarts from 'echarts';

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const milliseconds = (values) => median(values).toFixed(0);
const spread = (values, digits = 0) =>
  `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;

/**
 * @typedef {object} Timing
 * @property {string} what
 * @property {number[]} ours in milliseconds, of each run
 * @property {number[]} floor of the same runs; empty where the floor cannot do it
 */

/** The ratio of each run: in each the two are measured right after each other. */
function ratiosOf({ what, ours, floor }) {
  if (ours.length !== floor.length) throw new Error(`${what}: not as many runs of both`);
  return ours.map((time, run) => time / floor[run]);
}

/** The rows of each table, headings first. */
export function timingRows(timings) {
  return [
    ['', 'runs', 'ours, ms', 'spread', 'floor, ms', 'spread', 'ratio', 'spread'],
    ...timings.map((timing) => [
      timing.what,
      String(timing.ours.length),
      milliseconds(timing.ours),
      spread(timing.ours),
      ...(timing.floor.length === 0
        ? ['–', '–', '–', '–']
        : [
            milliseconds(timing.floor),
            spread(timing.floor),
            median(ratiosOf(timing)).toFixed(2),
            spread(ratiosOf(timing), 2),
          ]),
    ]),
  ];
}

export function electionRows(elections) {
  return [
    ['peers', 'CLAIM, mean', 'n·Hₙ', 'ELECTED', 'n', 'bytes, mean'],
    ...elections.map((election) => [
      String(election.size),
      election.claims.toFixed(1),
      election.expectedClaims.toFixed(1),
      election.announcements.toFixed(1),
      String(election.expectedAnnouncements),
      election.bytes.toFixed(0),
    ]),
  ];
}

export function joinRows({ joins, perJoin, most, bound, offered }) {
  return [
    ['joins', 'links per join', 'most at one peer', 'bound 2·log₂n+4', 'ends made per join'],
    [String(joins), perJoin.toFixed(2), String(most), bound.toFixed(1), offered.toFixed(2)],
  ];
}

/** Columns as wide as they need to be. */
export function asText(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const cell = (text, column) =>
    column === 0 ? text.padEnd(widths[0]) : text.padStart(widths[column]);
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

function asMarkdown([headings, ...rows]) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = headings.map((_, column) => (column === 0 ? '---' : '---:'));
  return [headings, rule, ...rows].map(line).join('\n');
}

export function markdown({ timings, elections, joins, stuck, browser }) {
  return `# Benchmarks

Written by \`npm run bench\`. Do not compare the times with those of another machine or day, only with
the floor beside them: a page of raw RTCPeerConnection and WebSocket that does the same job in the
fewest lines ([bench/floor.html](../bench/floor.html), [bench/floor.mjs](../bench/floor.mjs)). The two
are measured right after each other, and *ratio* is the median of the runs' ratios, not the ratio of
the medians. All tabs run in one browser, each in a context of its own; pages take the times
themselves, when what they show changes. Browsers are new in each run, servers are not: the first
tabs that each of them had are a row of their own.

${browser}; Node ${process.versions.node}; ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}).
Medians of the runs, with the least and the greatest.${stuck === 0 ? '' : ` The floor's tabs never agreed in ${stuck} more, which do not count.`}

![Times of Ringleader and of the floor](bench.svg)

${asMarkdown(timingRows(timings))}

- *cold phone*: a processor six times slower and a network of 1.6 Mbit/s and 150 ms, as Chromium plays
  them, with nothing cached. It joins a ring of two. From the start of its navigation until all of the
  HTML has arrived, and from then until the first words are painted: 600 ms is the aim. From the start
  until the member knows its leader, and from then until the page says so in words, which is to be in
  the same moment; and from the start until these words are painted.
- *tabs at a new server*: the same as the next, of the first tabs of all: the server's code takes
  longer then.
- *tabs at once*: from the start of the last tab's navigation until all show the same leader. With many
  tabs it is the time that a small machine's processors are busy; what ours takes more is the program
  being compiled and run for the first time in each tab. The largest number, of ours alone and in one
  run, is to show that it comes to one ring where there is far too much to do.
- *processor time*: what the browser took for that, per tab.
- *a tab joins 12*: from the start of its navigation until all 13 show the right leader.
- *and all show 13*: until, besides, all have counted the newcomer, by the leader's next lap. The
  floor does not count.
- *leader closed*, *leader killed*: in a ring that has come to rest, from then until the 11 others show
  the next leader. Closed, it is a new link and two laps of the ring. Before them, a killed one is asked for a sign of life (L13), which the floor does not: there a lost connection
  to the server is the end of a peer.

## Messages of an election

All peers start at once; means over ${elections[0].elections} simulated rings of ids in random order.

${asMarkdown(electionRows(elections))}

## Links made by joins

One peer after another, simulated. A newcomer offers two links before it knows its neighbours; the
ends made count those that were not needed.

${asMarkdown(joinRows(joins))}
`;
}

/** Bars of the medians, side by side. */
export function plot(timings) {
  const shown = timings.filter(({ floor }) => floor.length > 0);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 1_080, height: 420 });
  const bars = (name, color, values) => ({
    ...{ name, type: 'bar', itemStyle: { color }, data: shown.map((row) => median(values(row))) },
    label: {
      ...{ show: true, position: 'top', color: '#566270' },
      formatter: ({ value }) => value.toFixed(0),
    },
  });
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'sans-serif' },
    title: { text: 'Milliseconds, and how many times the floor', left: 'center' },
    legend: { bottom: 0 },
    grid: { left: 60, right: 20, top: 50, bottom: 90 },
    xAxis: {
      type: 'category',
      data: shown.map((row) => `${row.what}\n× ${median(ratiosOf(row)).toFixed(2)}`),
      axisLabel: { interval: 0, width: 78, overflow: 'break' },
    },
    yAxis: { type: 'value', name: 'ms' },
    series: [
      bars('Ringleader', '#2159c4', ({ ours }) => ours),
      bars('floor', '#b9c1cc', ({ floor }) => floor),
    ],
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
