/** What the server counts, for /metrics. */
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client';

/** How long a scrape is reused, in milliseconds: each counts all open descriptors. */
const SCRAPE_LASTS = 1_000;

/** The text for Prometheus. */
interface Scrape {
  readonly contentType: string;
  readonly text: Buffer;
}

export interface Metrics {
  /** The present values, or those of up to a second ago. */
  scrape(): Promise<Scrape>;
  readonly joins: Counter;
  readonly refusals: Counter<'code'>;
  readonly views: Counter;
  readonly signals: Counter;
  readonly traces: Counter;
  readonly evictions: Counter;
  readonly unread: Counter;
}

/** @param size called at each scrape */
export function createMetrics(size: () => { rooms: number; peers: number }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  addGauge(registry, 'ringleader_rooms', 'Rooms with at least one peer', () => size().rooms);
  addGauge(registry, 'ringleader_peers', 'Peers in all rooms', () => size().peers);
  const counter = (name: string, help: string) =>
    new Counter({ name: `ringleader_${name}_total`, help, registers: [registry] });
  return {
    scrape: scraper(registry),
    joins: counter('joins', 'Peers taken in'),
    refusals: new Counter({
      name: 'ringleader_refusals_total',
      help: 'Requests refused, by reason',
      labelNames: ['code'],
      registers: [registry],
    }),
    views: counter('views', 'Views sent to peers'),
    signals: counter('signals', 'Signals passed on to neighbours'),
    traces: counter('traces', 'Traces of peers passed on to spectators'),
    evictions: counter(
      'evictions',
      'Connected peers turned out: asleep, or accused by their neighbours',
    ),
    unread: counter(
      'unread',
      'Connections cut off whose clients did not read what was sent to them',
    ),
  };
}

function addGauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}

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
