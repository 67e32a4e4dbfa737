/**
 * Redis, which several servers share: the directory of their rooms, a channel to each of them, and what
 * limits count by address. Loaded where REDIS_URL is set.
 */
import { decode, encode } from '@msgpack/msgpack';
import { Redis, type RedisOptions } from 'ioredis';
import type { Answer, Question } from '../shared/instances/directory.ts';
import { nameIn, parseEnvelope, type Envelope } from '../shared/instances/envelope.ts';
import type { Cluster, ClusterNews, Share } from './cluster.ts';
import type { Metrics } from './metrics.ts';
import { RedisDirectory, PREFIX } from './redis-directory.ts';
import { limitsInRedis } from './rate-limits.ts';
import type { Warnings } from './warnings.ts';

/** How long Redis may take to answer, and to say anything while it has to, in milliseconds. */
const PATIENCE = 1_000;
const SILENCE = 3_000;

/** The same where a server can count for itself. */
const LIMIT_PATIENCE = 250;

/** How often the connection that hears the channel is tried, in milliseconds. */
const PING_INTERVAL = 1_000;

/** The longest pause before the next attempt to connect, in milliseconds. */
const LONGEST_PAUSE = 1_000;

/** Bytes that may be on their way to Redis; what is beyond is not sent. */
const MOST_UNSENT = 4_194_304;

export interface RedisPorts {
  readonly warnings: Warnings;
  readonly metrics: Pick<Metrics, 'envelopes' | 'envelopeBytes' | 'undelivered'>;
}

const OPTIONS: RedisOptions = {
  connectTimeout: 2 * PATIENCE,
  commandTimeout: PATIENCE,
  socketTimeout: SILENCE,
  // What cannot be asked now is not asked later: it may be wrong by then.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  retryStrategy: (times) => Math.min(LONGEST_PAUSE, 50 * 2 ** times),
};

/** @param url such as `redis://:password@example.org:6379/0` */
export function byRedis(url: string): Share {
  return ({ connectionsPerAddress, ...ports }) => {
    const cluster = new RedisCluster(url, ports);
    const { limits } = cluster;
    const prefix = `${PREFIX}limit:`;
    return { cluster, rateLimits: limitsInRedis(connectionsPerAddress, limits, prefix) };
  };
}

export class RedisCluster implements Cluster {
  readonly #ports: RedisPorts;
  /** For what limits count. */
  readonly limits: Redis;
  readonly #commands: Redis;
  readonly #channel: Redis;
  readonly #directory: RedisDirectory;
  /** Names the process of Redis that is connected; null while it is not known. */
  #run: { readonly id: string; readonly uptime: number } | null = null;
  #announced: string | null = null;
  #isSubscribed = false;
  #news: ClusterNews | null = null;
  #unsent = 0;
  #pings: ReturnType<typeof setInterval> | undefined;

  /** @param url such as `redis://:password@example.org:6379/0` */
  constructor(url: string, ports: RedisPorts) {
    this.#ports = ports;
    // What is said in one turn of the event loop goes out together.
    this.#commands = new Redis(url, { ...OPTIONS, enableAutoPipelining: true });
    this.#channel = new Redis(url, { ...OPTIONS, autoResubscribe: false });
    this.limits = new Redis(url, { ...OPTIONS, commandTimeout: LIMIT_PATIENCE });
    this.#directory = new RedisDirectory(this.#commands);
    for (const redis of [this.#commands, this.#channel, this.limits])
      redis.on('error', (error: Error) => this.#warn(error, 'Redis cannot be reached'));
  }

  start(name: string, news: ClusterNews): void {
    this.#news = news;
    this.#commands.on('ready', () => void this.#identify());
    this.#channel.on('ready', () => void this.#subscribe(channelOf(name)));
    this.#channel.on('close', () => {
      this.#isSubscribed = false;
    });
    this.#channel.on('messageBuffer', (_: Buffer, message: Buffer) => this.#hear(message));
    // Both may be ready already.
    if (this.#commands.status === 'ready') void this.#identify();
    if (this.#channel.status === 'ready') void this.#subscribe(channelOf(name));
    this.#pings = setInterval(() => {
      // A connection that has died without a word is closed by its silence.
      if (this.#isSubscribed) this.#channel.ping().catch(() => undefined);
    }, PING_INTERVAL);
  }

  ask(question: Question, onAnswer: (answer: Answer | null) => void): void {
    this.#directory.ask(question).then(onAnswer, (error: unknown) => {
      this.#warn(error, 'Redis does not answer');
      onAnswer(null);
    });
  }

  publish(envelope: Envelope, onUndelivered: () => void): void {
    void this.#publish(envelope).then((isDelivered) => {
      if (isDelivered) return;
      this.#ports.metrics.undelivered.inc();
      onUndelivered();
    });
  }

  close(): void {
    clearInterval(this.#pings);
    this.#commands.disconnect();
    this.#channel.disconnect();
    this.limits.disconnect();
  }

  async #publish(envelope: Envelope): Promise<boolean> {
    const { metrics } = this.#ports;
    const packed = Buffer.from(encode(envelope, { ignoreUndefined: true }));
    if (this.#unsent + packed.length > MOST_UNSENT) return false;
    metrics.envelopes.inc();
    metrics.envelopeBytes.inc(packed.length);
    this.#unsent += packed.length;
    try {
      const channel = channelOf(nameIn(envelope.to));
      return (await this.#commands.publish(channel, packed)) > 0;
    } catch (error) {
      this.#warn(error, 'Redis does not answer');
      return false;
    } finally {
      this.#unsent -= packed.length;
    }
  }

  #hear(message: Buffer): void {
    const envelope = parseEnvelope(unpacked(message));
    if (envelope.ok) this.#news?.onEnvelope(envelope.value);
    else {
      const { error } = envelope;
      this.#ports.warnings.warn(
        'envelope',
        { error },
        'what came from another server cannot be read',
      );
    }
  }

  /** Which Redis is it? Another one, or the same started again, may not know what was promised. */
  async #identify(): Promise<void> {
    try {
      const info = await this.#commands.info('server');
      const id = /^run_id:(\w+)/m.exec(info)?.[1];
      const uptime = Number(/^uptime_in_seconds:(\d+)/m.exec(info)?.[1]);
      if (id === undefined || !Number.isFinite(uptime)) throw new Error('Redis names no run_id');
      this.#run = { id, uptime: uptime * 1_000 };
      this.#announce();
    } catch (error) {
      this.#warn(error, 'Redis does not say which one it is');
      // Connects again.
      this.#commands.disconnect(true);
    }
  }

  async #subscribe(channel: string): Promise<void> {
    try {
      await this.#channel.subscribe(channel);
      this.#isSubscribed = true;
      this.#announce();
    } catch (error) {
      this.#warn(error, 'Redis cannot be heard');
      this.#channel.disconnect(true);
    }
  }

  /** First others can be heard, then rooms can be owned. */
  #announce(): void {
    if (this.#run === null || !this.#isSubscribed || this.#announced === this.#run.id) return;
    this.#announced = this.#run.id;
    this.#ports.warnings.info('connected', {}, 'connected to Redis');
    this.#news?.onDirectory(this.#run.uptime);
  }

  #warn(error: unknown, message: string): void {
    const details = { error: error instanceof Error ? error.message : String(error) };
    this.#ports.warnings.warn('redis', details, message);
  }
}

function channelOf(name: string): string {
  return `${PREFIX}to:${name}`;
}

/** undefined for what is no MessagePack. */
function unpacked(message: Buffer): unknown {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}
