/** Makes visits to a server and counts what comes of their inputs; compares that with what the server counts. */
import { setTimeout as pause } from 'node:timers/promises';
import {
  HONEST_ID,
  NEIGHBOUR,
  OTHER_TICKET,
  OWN_TICKET,
  visitOf,
  type Visit,
} from './bad-input.ts';
import { ended, open, Stranger, type Way } from './strangers.ts';

/**
 * How long an answer is waited for, how long a client stays of which none is heard, and how long a half-open
 * connection stays, in milliseconds.
 */
const ANSWERS = 5_000;
const UNHEARD = 300;
const HALF_OPEN = 300;

/** A server keeps a scrape for a second. */
const SCRAPE_LASTS = 1_100;

/** Reasons under which the server counts what it answers with `try-again`. */
const LIMITS = ['too-many-joins', 'too-many-rooms', 'too-many-spectators', 'too-much-relayed'];

/**
 * What came of events, by its name: `ok`, the code of a refusal, `unanswered` where the connection ended or
 * nobody listened, or else `ignored`.
 */
export type Outcomes = Map<string, number>;

export class Visitors {
  readonly outcomes: Outcomes = new Map();
  /** Events, frames and pieces of HTTP that were sent. */
  inputs = 0;
  /** Visits to which the server did not open. */
  closed = 0;
  #ticket = '';
  readonly #honest: string;

  /** @param honest id of a peer that must not notice */
  constructor(honest: string) {
    this.#honest = honest;
  }

  async visit(seed: number, way: Way): Promise<void> {
    const visit = visitOf(seed);
    if (visit.type === 'bytes') await this.#bytes(visit.text, way);
    else await this.#client(visit, way);
  }

  async #bytes(text: string, way: Way): Promise<void> {
    const socket = open(way).resume();
    socket.write(this.#filled(text), 'latin1');
    this.inputs += 1;
    await ended(socket, HALF_OPEN);
  }

  async #client(visit: Exclude<Visit, { type: 'bytes' }>, way: Way): Promise<void> {
    const stranger = new Stranger(way);
    await stranger.connected();
    if (stranger.sid === '') this.closed += 1;
    else if (visit.type === 'frames')
      for (const frame of visit.frames) {
        stranger.send(frame);
        this.inputs += 1;
      }
    else await this.#events(visit, stranger);
    if (visit.type === 'frames') await pause(UNHEARD);
    stranger.socket.terminate();
  }

  async #events(
    { events, pace }: Extract<Visit, { type: 'events' }>,
    stranger: Stranger,
  ): Promise<void> {
    const isDeaf = pace === 'is deaf';
    if (isDeaf) stranger.socket.pause();
    const waiting: Promise<void>[] = [];
    for (const { content, isToAnswer } of events) {
      if (!stranger.isOpen) break;
      this.inputs += 1;
      const filled = this.#filled(content, stranger.lastView);
      if (!isToAnswer) {
        stranger.send(`42${filled}`);
        this.#count('unanswered');
        continue;
      }
      const answered = stranger
        .askText(filled, isDeaf ? UNHEARD : ANSWERS)
        .then((reply) => this.#take(reply, stranger.isOpen && !isDeaf));
      if (pace === 'asks') await answered;
      else waiting.push(answered);
    }
    await Promise.all(waiting);
  }

  /** @param isToCome whether there must be an answer */
  #take(reply: string, isToCome: boolean): void {
    const ticket = /"ticket":"([^"]+)"/.exec(reply)?.[1];
    if (ticket !== undefined) this.#ticket = ticket;
    if (reply.includes('"ok":true')) this.#count('ok');
    else this.#count(/"code":"([^"]+)"/.exec(reply)?.[1] ?? (isToCome ? 'ignored' : 'unanswered'));
  }

  #count(outcome: string): void {
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  #filled(text: string, view = ''): string {
    const own = /"ticket":"([^"]+)"/.exec(view)?.[1] ?? '';
    const neighbour = /"successor":\{"id":"([^"]+)"/.exec(view)?.[1] ?? this.#honest;
    return text
      .replaceAll(HONEST_ID, this.#honest)
      .replaceAll(NEIGHBOUR, neighbour)
      .replaceAll(OWN_TICKET, own)
      .replaceAll(OTHER_TICKET, this.#ticket);
  }
}

/** What a server has refused so far, by reason. */
export async function refusalsAt(url: string): Promise<Outcomes> {
  await pause(SCRAPE_LASTS);
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/^ringleader_refusals_total\{reason="([^"]+)"\} (\d+)$/gm);
  return new Map([...lines].map(([, reason = '', count]) => [reason, Number(count)]));
}

/** The sum of what several servers have refused. */
export function sumOf(all: readonly Outcomes[]): Outcomes {
  const sum: Outcomes = new Map();
  for (const each of all)
    for (const [reason, count] of each) sum.set(reason, (sum.get(reason) ?? 0) + count);
  return sum;
}

/** Where what the clients heard and what the server counted do not agree. */
export function unaccounted(heard: Outcomes, before: Outcomes, after: Outcomes): string[] {
  const counted = (reason: string) => (after.get(reason) ?? 0) - (before.get(reason) ?? 0);
  const unanswered = heard.get('unanswered') ?? 0;
  return [...heard].flatMap(([code, refused]) => {
    if (code === 'ok' || code === 'unanswered') return [];
    if (code === 'ignored') return [`${refused} events had no answer`];
    const reasons = code === 'try-again' ? LIMITS : [code];
    const sum = reasons.reduce((total, reason) => total + counted(reason), 0);
    const text = `${refused} refusals were heard as ${code}, ${sum} counted`;
    // Clients have not heard all; breaches beneath the events are malformed as well.
    const most = code === 'malformed' ? Infinity : refused + unanswered;
    return sum < refused || sum > most ? [text] : [];
  });
}
