/** What happened, as lines to read: when, at which peer, what and why. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import { isLap, type ElectionMessage, type PeerMessage } from '../../shared/protocol/messages.ts';
import { claimant, describe } from '../../shared/narration/describe.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import { withNames } from './names.ts';

export interface Line {
  /** In simulated milliseconds. */
  readonly at: number;
  /** The id of a peer, or empty. */
  readonly who: string;
  readonly text: string;
  /** The lap that the line is about; null for all other lines. */
  readonly lap: Lap | null;
  /** The message of the election that was sent; null for all other lines. */
  readonly sent: ElectionMessage['type'] | null;
}

interface Lap {
  /** The same for all laps of one leader in one term. */
  readonly reign: string;
  readonly number: number;
}

/** What a peer says of itself, or null where a story leaves that out. */
export function eventLine(at: number, peer: PeerId, event: RingEvent): Line | null {
  if (
    event.type === 'ring' ||
    event.type === 'era' ||
    (event.type === 'link' && isToldByMessages(event))
  )
    return null;
  const { what, why } = describe(event, peer);
  const message = event.type === 'sent' || event.type === 'received' ? event.message : null;
  const text = why === '' ? what : `${what} (${why})`;
  const sent = event.type === 'sent' ? event.message.type : null;
  return { at, who: peer, text, lap: lapOf(message), sent };
}

/** A link that opens is shown by its HELLO, one that is replaced by its BYE; not so a relayed one. */
function isToldByMessages({ kind, state, reason }: Extract<RingEvent, { type: 'link' }>): boolean {
  if (kind === 'relayed') return state === 'connecting';
  switch (state) {
    case 'connecting':
    case 'open':
      return true;
    case 'in use':
      return false;
    case 'closed':
      return reason === 'relinked' || reason === 'leaving';
  }
}

/** What is said on links without an event of the ring member; null for everything else. */
export function heardText(from: PeerId, message: PeerMessage): string | null {
  switch (message.type) {
    case 'hello': {
      const { ready, term, decision, removed } = message;
      const parts = [
        ready ? 'ready' : 'no successor yet',
        `term ${term}`,
        decision === null ? 'no leader known' : `leader ${claimant(decision.leader)}`,
        ...(removed.length === 0 ? [] : [`gone: ${removed.join(', ')}`]),
      ];
      return `received HELLO from ${from}: ${parts.join(', ')}`;
    }
    case 'bye':
      return `received BYE from ${from}: ${
        message.reason === 'leaving' ? 'it leaves the ring' : 'this link has served'
      }`;
    default:
      return null;
  }
}

/** A message that does not arrive. */
export function stoppedLine(
  at: number,
  from: PeerId,
  to: PeerId,
  message: ElectionMessage,
  how: string,
): Line {
  const { what } = describe({ type: 'sent', message, to }, from);
  const text = what.replace('sent', how === 'lost' ? 'lost on its way:' : 'held back:');
  return { at, who: from, text, lap: lapOf(message), sent: null };
}

/** A forged message. */
export function forgedLine(at: number, from: PeerId, to: PeerId, message: ElectionMessage): Line {
  const { what } = describe({ type: 'sent', message, to }, from);
  const text = what.replace('sent', 'makes up and sends');
  return { at, who: from, text, lap: null, sent: null };
}

function lapOf(message: ElectionMessage | null): Lap | null {
  if (message?.type !== 'elected' || !isLap(message)) return null;
  const { leader, lap } = message.decision;
  return { reign: `${message.term} ${leader.id}`, number: lap };
}

/**
 * The lines of one block; those that are text already stay as they are. Laps that went exactly like an
 * earlier one are only counted.
 * @param since the moment from which times are counted
 */
export function tell(lines: readonly (Line | string)[], since: number): string[] {
  const repeated = repeatedLaps(lines);
  const text: string[] = [];
  let last: Line | null = null;
  for (const line of lines) {
    if (typeof line === 'string') {
      text.push(line);
      last = null;
      continue;
    }
    if (line.lap !== null && repeated.get(line.lap.reign)?.includes(line.lap.number)) continue;
    const isSame = last?.at === line.at && last.who === line.who;
    const time = isSame ? '' : `${Math.round(line.at - since)} ms`;
    const who = isSame ? '' : withNames(line.who);
    text.push(`${time.padStart(8)}  ${who.padEnd(3)} ${withNames(line.text)}`);
    last = line;
  }
  for (const [reign, laps] of repeated) {
    const term = repeated.size > 1 ? ` of term ${reign.split(' ', 1)[0]}` : '';
    text.push(`${''.padStart(13)} ${repetition(laps, term)}`);
  }
  return text;
}

/** The numbers of laps that went like an earlier one, for each leader and term. */
function repeatedLaps(lines: readonly (Line | string)[]): Map<string, number[]> {
  const courses = new Map<Lap, string[]>();
  const laps = new Map<string, Lap>();
  for (const line of lines) {
    if (typeof line === 'string' || line.lap === null) continue;
    const key = `${line.lap.reign} ${line.lap.number}`;
    const lap = laps.get(key) ?? line.lap;
    laps.set(key, lap);
    const course = courses.get(lap) ?? [];
    courses.set(lap, [...course, `${line.who} ${line.text.replace(/lap \d+/, 'lap')}`]);
  }
  const told = new Set<string>();
  const repeated = new Map<string, number[]>();
  for (const [{ reign, number }, course] of courses) {
    const whole = [reign, ...course].join('\n');
    if (told.has(whole)) repeated.set(reign, [...(repeated.get(reign) ?? []), number]);
    told.add(whole);
  }
  return repeated;
}

/** @param term of the laps, where that must be said */
function repetition(laps: readonly number[], term: string): string {
  if (laps.length === 1) return `… lap ${laps.join()}${term} went the same way`;
  return `… laps ${laps.slice(0, -1).join(', ')} and ${laps.at(-1)}${term} went the same way`;
}

/** How many messages of the election were sent. */
export function count(lines: readonly (Line | string)[]): string {
  const sent = lines.map((line) => (typeof line === 'string' ? null : line.sent));
  const number = (type: ElectionMessage['type']) => sent.filter((it) => it === type).length;
  return `sent: ${number('claim')} × CLAIM, ${number('elected')} × ELECTED`;
}
