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
  readonly reports: Counter;
  readonly evictions: Counter;
  readonly unread: Counter;
}

/** @param size called at each scrape */
export function createMetrics(size: () => { rooms: number; peers: number }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'ringleader_rooms',
    help: 'Rooms with at least one peer',
    registers,
    collect() {
      this.set(size().rooms);
    },
  });
  new Gauge({
    name: 'ringleader_peers',
    help: 'Peers in all rooms',
    registers,
    collect() {
      this.set(size().peers);
    },
  });
  let latest: Promise<Scrape> | null = null;
  async function scrape(): Promise<Scrape> {
    const text = Buffer.from(await registry.metrics());
    return { contentType: registry.contentType, text };
  }
  return {
    scrape: () => {
      latest ??= scrape().finally(() => {
        setTimeout(() => {
          latest = null;
        }, SCRAPE_LASTS).unref();
      });
      return latest;
    },
    joins: new Counter({ name: 'ringleader_joins_total', help: 'Peers taken in', registers }),
    refusals: new Counter({
      name: 'ringleader_refusals_total',
      help: 'Requests refused, by reason',
      labelNames: ['code'],
      registers,
    }),
    views: new Counter({ name: 'ringleader_views_total', help: 'Views sent to peers', registers }),
    signals: new Counter({
      name: 'ringleader_signals_total',
      help: 'Signals passed on to neighbours',
      registers,
    }),
    reports: new Counter({
      name: 'ringleader_reports_total',
      help: 'Reports of peers passed on to watchers',
      registers,
    }),
    evictions: new Counter({
      name: 'ringleader_evictions_total',
      help: 'Connected peers turned out: asleep, or accused by their neighbours',
      registers,
    }),
    unread: new Counter({
      name: 'ringleader_unread_total',
      help: 'Connections cut off whose clients did not read what was sent to them',
      registers,
    }),
  };
}
