/** What the server counts, for /metrics. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';
import type { Eviction } from '../shared/broker/state.ts';
import { VERSION } from './version.ts';

/** How long a scrape is reused, in milliseconds. */
const SCRAPE_LASTS = 1_000;

/** Default metrics that go through all that is open: with 8,000 sockets they take 16 ms. */
const SLOW = [
  'process_open_fds',
  ...['handles', 'resources', 'requests'].flatMap((name) => [
    `nodejs_active_${name}`,
    `nodejs_active_${name}_total`,
  ]),
];

/** The text for Prometheus. */
export interface Scrape {
  readonly contentType: string;
  readonly text: Buffer;
}

export interface Metrics {
  /** The present values, or those of up to a second ago. */
  scrape(): Promise<Scrape>;
  readonly joins: Counter;
  readonly leaves: Counter;
  readonly resumes: Counter;
  readonly recoveries: Counter;
  readonly leasesLost: Counter;
  /** To other servers. */
  readonly envelopes: Counter;
  readonly envelopeBytes: Counter;
  readonly undelivered: Counter;
  readonly evictions: Counter<'reason'>;
  readonly refusals: Counter<'reason'>;
  readonly relayedFrames: Counter;
  readonly relayedBytes: Counter;
}

/** What there is at a moment, in numbers. */
export interface Sizes {
  readonly rooms: number;
  readonly peers: number;
  readonly sockets: number;
  readonly spectators: number;
  /** Links to successors, by their way. */
  readonly links: Readonly<Record<string, number>>;
}

/** @param sizes called at each scrape */
export function createMetrics(sizes: () => Sizes): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of SLOW) registry.removeSingleMetric(name);
  const registers = [registry];
  const gauge = (name: Exclude<keyof Sizes, 'links'>, help: string) =>
    new Gauge({
      name: `ringleader_${name}`,
      help,
      registers,
      collect() {
        this.set(sizes()[name]);
      },
    });
  gauge('rooms', 'Rooms with at least one peer');
  gauge('peers', 'Peers in all rooms');
  gauge('sockets', 'Open connections for signaling, of peers, spectators and others');
  gauge('spectators', 'Connections that watch a room');
  new Gauge({
    name: 'ringleader_links',
    help: 'Links to successors, by the way that peers say they go',
    labelNames: ['way'],
    registers,
    collect() {
      for (const [way, count] of Object.entries(sizes().links)) this.set({ way }, count);
    },
  });
  new Gauge({
    name: 'ringleader_build_info',
    help: 'The version, as a label',
    labelNames: ['version'],
    registers,
  }).set({ version: VERSION }, 1);
  const counter = (name: string, help: string) =>
    new Counter({ name: `ringleader_${name}_total`, help, registers });
  const byReason = (name: string, help: string) =>
    new Counter({ name: `ringleader_${name}_total`, help, labelNames: ['reason'], registers });
  const evictions = byReason('evictions', 'Members turned out of their ring');
  for (const reason of EVICTIONS) evictions.inc({ reason }, 0);
  const refusals = byReason('refusals', 'Requests and connections refused');
  for (const reason of ['host', 'origin', 'malformed']) refusals.inc({ reason }, 0);
  return {
    scrape: scraper(registry),
    joins: counter('joins', 'Peers taken in'),
    leaves: counter('leaves', 'Peers that said goodbye'),
    resumes: counter('resumes', 'Peers that came back over another connection'),
    recoveries: counter('recoveries', 'Rooms that began to be gathered from their members'),
    envelopes: counter('envelopes', 'Messages to other servers'),
    envelopeBytes: counter('envelope_bytes', 'Bytes in those messages'),
    undelivered: counter('undelivered_envelopes', 'Those of them that may not have arrived'),
    leasesLost: counter('leases_lost', 'Times that all rooms were given up'),
    evictions,
    refusals,
    relayedFrames: counter('relayed_frames', 'Frames passed on for links without a direct way'),
    relayedBytes: counter('relayed_bytes', 'Bytes in those frames'),
  };
}

const EVICTIONS: readonly Eviction[] = [
  'no answer',
  'unheard',
  'accused',
  'turned out',
  'no place',
];

/** Scrapes together what asks within a second. */
function scraper(registry: Registry): () => Promise<Scrape> {
  let latest: Promise<Scrape> | null = null;
  async function scrape(): Promise<Scrape> {
    const text = Buffer.from(await registry.metrics());
    return { contentType: registry.contentType, text };
  }
  return () => {
    latest ??= scrape().finally(() => {
      setTimeout(() => {
        latest = null;
      }, SCRAPE_LASTS).unref();
    });
    return latest;
  };
}
