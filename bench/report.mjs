/** What was measured, as text for the terminal, as Markdown and as a plot. */
import { availableParallelism, cpus } from 'node:os';
import * as echarts from 'echarts';

/** What the rows of the phone begin with. */
export const PHONE = 'cold phone';

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const milliseconds = (values) => median(values).toFixed(0);
const spread = (values, digits = 0) =>
  `${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)}`;

/**
 * What was measured: of each program the milliseconds of each run; nothing of one that does not take part.
 * @typedef {{ what: string, ours: number[], floor?: number[], peerjs?: number[], 'y-webrtc'?: number[] }} Timing
 */

/** What the program is compared with, by the name that tables give it. */
const OTHERS = { floor: 'floor', peerjs: 'PeerJS', 'y-webrtc': 'y-webrtc' };

/** The ratio of each run: in each the two are measured right after each other. */
function ratiosOf({ what, ours }, others) {
  if (ours.length !== others.length) throw new Error(`${what}: not as many runs of both`);
  return ours.map((time, run) => time / others[run]);
}

/** The rows of each table, headings first. */
export function timingRows(timings) {
  const others = Object.keys(OTHERS).filter((name) => timings.some((timing) => name in timing));
  return [
    [
      ...['', 'runs', 'ours, ms', 'spread'],
      ...others.flatMap((name) => [`${OTHERS[name]}, ms`, 'ratio', 'spread']),
    ],
    ...timings.map((timing) => [
      ...[timing.what, String(timing.ours.length), milliseconds(timing.ours), spread(timing.ours)],
      ...others.flatMap((name) => comparisonCells(timing, timing[name])),
    ]),
  ];
}

function comparisonCells(timing, times) {
  if (times === undefined) return ['–', '–', '–'];
  const ratios = ratiosOf(timing, times);
  return [milliseconds(times), median(ratios).toFixed(2), spread(ratios, 2)];
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

/** Runs that do not count, in a sentence. */
function failures(stuck) {
  const parts = Object.entries(stuck).map(([name, times]) => `${times} of ${OTHERS[name]}`);
  if (parts.length === 0) return '';
  return ` Runs whose tabs never agreed do not count: ${parts.join(', ')}.`;
}

export function markdown({ timings, elections, joins, stuck, browser }) {
  const isPhone = ({ what }) => what.startsWith(PHONE);
  return `# Benchmarks

Written by \`npm run bench\`. Times are in milliseconds, medians of the runs, with the least and the
greatest. All pages and servers run on one machine: do not compare the times with those of another
machine or day, only with those beside them.

${browser}; Node ${process.versions.node}; ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}).

## A cold phone

${asMarkdown(timingRows(timings.filter(isPhone)))}

A phone joins a ring of two: its processor is six times slower, its network has 1.6 Mbit/s and 150 ms, as
Chromium emulates them, and nothing is cached. Once its id is the highest, so that it becomes the leader
after an election; and once the lowest, so that it hears of the leader from its neighbours.

- *HTML arrived*: from the start of the navigation until all of the HTML is there.
- *words after that*: from then until the first words are painted. The aim is at most 600 ms.
- *leader known*: from the start of the navigation until the page has the leader's id.
- *said after that*: from then until the page has the leader in words. The aim is 0.
- *leader seen*: from the start of the navigation until these words are painted.

## Many tabs

${asMarkdown(timingRows(timings.filter((row) => !isPhone(row))))}

![Times of Ringleader and of what it is compared with](bench.svg)

All tabs run in one browser, each in a context of its own. Times end when the tabs have painted the words
that say which tab leads. The programs are measured right after each other, and *ratio* is the median of
the runs' ratios, not the ratio of the medians. Browsers are new in each run, servers are not.${failures(stuck)}

- *floor*: a page of raw RTCPeerConnection and WebSocket that does the same job in the fewest lines
  ([bench/floor.html](../bench/floor.html), [bench/ring-broker.mjs](../bench/ring-broker.mjs)).
- *PeerJS*: the election of [shared/election](../shared/election) over PeerJS, with PeerJS's own server
  for the signals and the floor's broker for the places
  ([bench/peerjs.page.mjs](../bench/peerjs.page.mjs)).
- *y-webrtc*: a mesh in which all share the set of their ids, and the highest id leads; there is no
  election. The time ends when the highest id has reached all, which may be before all are linked with
  each other ([bench/y-webrtc.page.mjs](../bench/y-webrtc.page.mjs)).

The rows:

- *tabs at a new server*: the same as the next, of the first tabs of all: the server's code takes
  longer then.
- *tabs at once*: from the start of the last tab's navigation until all show the same leader. With many
  tabs it is the time that a small machine's processors are busy. The largest number, of ours alone and
  in one run, shows that the tabs form one ring where the machine is overloaded.
- *processor time*: what the browser took for that, per tab.
- *a tab joins 12*: from the start of its navigation until all 13 show the right leader.
- *and all show 13*: until, besides, all have counted the newcomer, by the leader's next lap. The
  floor does not count.
- *leader closed*, *leader killed*: in a ring that has come to rest, from then until the 11 others show
  the next leader. Closed, it takes a new link and two laps of the ring. A killed one is asked for a sign
  of life first (L13). The floor does not ask: there a lost connection to the server is the end of a peer.
- *kept apart*: no two tabs can make a direct link, so that all messages go through the server.

## Messages of an election

All peers start at once; means over ${elections[0].elections} simulated rings of ids in random order.

${asMarkdown(electionRows(elections))}

## Links made by joins

One peer after another, simulated. A newcomer offers two links before it knows its neighbours; the
ends made count those that were not needed.

${asMarkdown(joinRows(joins))}
`;
}

const NAMES = { ours: 'ours', floor: 'floor', peerjs: 'PeerJS' };

/** What is measured of a signaling server: its name, its digits, and whether a ratio says something. */
const SIGNALING = {
  rate: ['joins a second', 0, true],
  half: ['a join, median, ms', 1, true],
  most: ['a join, p99, ms', 1, true],
  cpu: ['server CPU a join, µs', 0, true],
  memory: ['memory an idle peer, kB', 1, true],
  views: ['views a leave', 1, false],
};

/**
 * The rows of the signaling servers' table, headings first; medians of the runs, and of their ratios.
 * @param {{ shape: { rooms: number, size: number }, runs: Record<string, Record<string, number>[]> }[]} results
 */
export function signalingRows(results) {
  const others = Object.keys(NAMES).filter((name) => name !== 'ours');
  return [
    ['', 'rooms', 'runs', 'ours', ...others.flatMap((name) => [NAMES[name], 'ratio', 'spread'])],
    ...results.flatMap(({ shape: { rooms, size }, runs }) =>
      Object.entries(SIGNALING).map(([key, [what, digits, isCompared]]) => {
        const ours = runs.ours.map((run) => run[key]);
        const cells = others.flatMap((name) => {
          if (!isCompared) return ['–', '–', '–'];
          const values = runs[name].map((run) => run[key]);
          const ratios = ours.map((value, at) => value / values[at]);
          return [median(values).toFixed(digits), median(ratios).toFixed(2), spread(ratios, 2)];
        });
        return [
          what,
          `${rooms} × ${size}`,
          String(ours.length),
          median(ours).toFixed(digits),
          ...cells,
        ];
      }),
    ),
  ];
}

/** What is measured of several of our servers. */
const SHARED = {
  rate: ['joins a second', 0],
  half: ['a join, median, ms', 1],
  most: ['a join, p99, ms', 1],
  cpu: ['CPU of all servers a join, µs', 0],
  redis: ['CPU of Redis a join, µs', 0],
  memory: ['memory an idle peer, all servers, kB', 1],
};

/** The same for servers that share their rooms, beside one that is alone. */
export function sharingRows(results, counts) {
  return [
    ['', 'rooms', 'alone', ...counts.map((count) => `${count} by Redis`)],
    ...results.flatMap(({ shape: { rooms, size }, runs, sharing }) =>
      Object.entries(SHARED).map(([key, [what, digits]]) => [
        what,
        `${rooms} × ${size}`,
        ...[runs.ours, ...sharing].map((each) =>
          median(each.map((run) => run[key])).toFixed(digits),
        ),
      ]),
    ),
  ];
}

const SIGNALING_HEADING = '\n## The signaling server\n';

export function signalingMarkdown(results, counts) {
  return `${SIGNALING_HEADING}
Written by \`npm run bench -- signaling\`, at another time than the rest. Node ${process.versions.node}; ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}).

${asMarkdown(signalingRows(results))}

Each server is a process of its own, new in each run, beside the process that has all the peers. A newcomer
connects, gets its place and offers a link to its neighbours; one or both answer, with descriptions of 500
characters. 32 newcomers are on their way at a time. Nobody makes links: that is the peers' own work.

- *ours*: the built server. It finds the neighbours, passes the offers on and tells them of the newcomer.
- *floor*: Socket.IO alone, which passes messages on by name and checks nothing
  ([bench/bare-relay.mjs](../bench/bare-relay.mjs)). The peers tell it their neighbours.
- *PeerJS*: its server, on WebSocket without Socket.IO, with the same messages.
- *a join*: from the start of the connection until the newcomer has its place and one answer; of ours,
  until it has settled as well.
- *server CPU a join*: processor time of the server's process while all join.
- *memory an idle peer*: what the process has more than before the first came, after garbage collection.
- *views a leave*: messages to all members together for one that leaves.

In one room newcomers that come while others do wait for each other for at least 50 ms, so that neighbours
make fewer links: with 32 on their way at a time that, and not the processor, bounds the joins a second.

### Several servers

The same joins at servers that share their rooms by a Redis on the same machine; each peer of a room at the next
of them. A machine with few cores shows what sharing costs, not what it gains.

${asMarkdown(sharingRows(results, counts))}
`;
}

/** The signaling server's part of the document; empty where there is none. */
export function signalingIn(document) {
  const at = document.indexOf(SIGNALING_HEADING);
  return at === -1 ? '' : document.slice(at);
}

/** The document with this part in place of the one that it has. */
export function withSignaling(document, section) {
  return document.slice(0, document.length - signalingIn(document).length) + section;
}

const COLORS = { ours: '#2159c4', floor: '#b9c1cc', peerjs: '#d98324', 'y-webrtc': '#4d9d6a' };

/** Bars of the medians of what is compared, side by side; the ratios are those to the floor. */
export function plot(timings) {
  const shown = timings.filter(({ floor }) => floor !== undefined);
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: 1_080, height: 420 });
  const series = Object.entries({ ours: 'Ringleader', ...OTHERS }).map(([contender, name]) => ({
    ...{ name, type: 'bar', itemStyle: { color: COLORS[contender] } },
    data: shown.map((row) => (row[contender] === undefined ? '-' : median(row[contender]))),
    label: {
      ...{ show: true, position: 'top', color: '#566270', fontSize: 10 },
      formatter: ({ value }) => (value === '-' ? '' : value.toFixed(0)),
    },
  }));
  chart.setOption({
    animation: false,
    backgroundColor: '#ffffff',
    textStyle: { fontFamily: 'sans-serif' },
    title: { text: 'Milliseconds, and how many times the floor', left: 'center' },
    legend: { bottom: 0 },
    grid: { left: 60, right: 20, top: 50, bottom: 90 },
    xAxis: {
      type: 'category',
      data: shown.map((row) => `${row.what}\n× ${median(ratiosOf(row, row.floor)).toFixed(2)}`),
      axisLabel: { interval: 0, width: 78, overflow: 'break' },
    },
    yAxis: { type: 'value', name: 'ms' },
    series,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
