/** What a server shares with others: a directory of rooms, and ways to them. */
import { answer, newDirectory, type Answer, type Question } from '../shared/instances/directory.ts';
import type { Envelope } from '../shared/instances/envelope.ts';
import type { Metrics } from './metrics.ts';
import type { RateLimits } from './rate-limits.ts';
import type { Warnings } from './warnings.ts';

export interface ClusterNews {
  /** There is a directory, or another one: see `Input` of shared/instances/state.ts. */
  onDirectory(uptime: number): void;
  onEnvelope(envelope: Envelope): void;
}

export interface Cluster {
  /** @param name of this server, which no other has */
  start(name: string, news: ClusterNews): void;
  /** Puts a question to the directory; null where it does not answer in time. */
  ask(question: Question, onAnswer: (answer: Answer | null) => void): void;
  /** Sends an envelope to another server; `onUndelivered` is called where it may not have arrived. */
  publish(envelope: Envelope, onUndelivered: () => void): void;
  /** Nothing is asked or sent any more. */
  close(): void;
}

/** What a server shares with others. */
interface Shared {
  readonly cluster: Cluster;
  /** What may come from one address in a minute, at all of them together. */
  readonly rateLimits: RateLimits;
}

/** Makes that, for a server's log and metrics. */
export type Share = (ports: {
  readonly warnings: Warnings;
  readonly metrics: Metrics;
  /** Connections that an address may have to one server. */
  readonly connectionsPerAddress: number;
}) => Shared;

/** A server that is alone: it owns every room that is asked for. */
export class Alone implements Cluster {
  readonly #directory = newDirectory(Infinity);

  start(_name: string, news: ClusterNews): void {
    news.onDirectory(0);
  }

  ask(question: Question, onAnswer: (answer: Answer | null) => void): void {
    onAnswer(answer(this.#directory, question, Date.now()));
  }

  publish(_envelope: Envelope, onUndelivered: () => void): void {
    onUndelivered();
  }

  close(): void {
    // It holds nothing.
  }
}
