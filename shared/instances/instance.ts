/**
 * A signaling server among several, or alone: a state machine without its network. Each room is at one
 * instance at a time, its owner, which runs the broker of shared/broker for it. An instance holds the
 * connections of its clients, and passes on what they ask of rooms that others own.
 *
 * `handle` takes one input at a time. It changes the state in place and returns what is to be done, in order.
 */
import { firstTime } from '../machine/due-times.ts';
import type { Moment } from '../machine/moment.ts';
import type { BrokerPorts } from '../broker/turn.ts';
import { askAgain, close, hearClaim, hearClient, hearOwner, hearTaken, open } from './edge.ts';
import { begin, beginAnew, checkLease, hearRenewal, stop, tick } from './lease.ts';
import { refuseEnvelope, sendAll } from './links.ts';
import { closeDown, feed, hearEdge, hearHost } from './owner.ts';
import { idOf, type Input, type Instance, type Output, type Turn } from './state.ts';

/** Takes one input. Returns what is to be done, in order. */
export function handle(
  state: Instance,
  input: Input,
  moment: Moment,
  ports: BrokerPorts,
): readonly Output[] {
  if (state.isStopped) return [];
  const turn: Turn = { state, moment, ports, outputs: [], touched: new Set() };
  checkLease(turn);
  hear(turn, input);
  sendAll(turn);
  return turn.outputs;
}

/** When the input `time` is due; null where nothing is. */
export function nextDue({ nextTick, broker }: Instance): number | null {
  const times = [nextTick, firstTime(broker)].filter((at) => at !== null);
  return times.length === 0 ? null : Math.min(...times);
}

function hear(turn: Turn, input: Input): void {
  switch (input.type) {
    case 'directory':
      return begin(turn, input.uptime);
    case 'answer':
      return hearAnswer(turn, input);
    case 'envelope':
    case 'undelivered':
      return hearEnvelope(turn, input);
    case 'opened':
      return open(turn, input.session, input.address);
    case 'closed':
      return close(turn, input.session);
    case 'ask':
      return hearClient(turn, input);
    case 'taken':
      return hearTaken(turn, input.session, input.number);
    case 'stop':
      return stop(turn);
    case 'time':
      return hearTime(turn);
    default:
      return hearHost(turn, input);
  }
}

function hearAnswer(turn: Turn, { asked, answer }: Extract<Input, { type: 'answer' }>): void {
  const { question } = asked;
  const { state } = turn;
  if (question.self === state.former && answer?.type === 'done') state.former = null;
  // To one that it is no more.
  if (question.self !== idOf(state)) return;
  if (question.type === 'renew') hearRenewal(turn, asked, answer);
  if (question.type !== 'claim') return;
  hearClaim(turn, question, answer);
  if (answer?.type === 'unknown') beginAnew(turn);
}

function hearEnvelope(
  turn: Turn,
  { type, envelope }: Extract<Input, { type: 'envelope' | 'undelivered' }>,
): void {
  const self = idOf(turn.state);
  if (type === 'envelope') {
    if (envelope.to !== self || turn.state.lease.type === 'none') refuseEnvelope(turn, envelope);
    else if (envelope.way === 'up') hearEdge(turn, envelope);
    else hearOwner(turn, envelope);
    return;
  }
  if (envelope.from !== self) return;
  if (envelope.way === 'up') askAgain(turn, envelope);
  else {
    const link = turn.state.down.get(envelope.to);
    if (link?.number === envelope.link) closeDown(turn, link);
  }
}

function hearTime(turn: Turn): void {
  const { state, moment } = turn;
  if (state.nextTick !== null && state.nextTick <= moment.now) tick(turn);
  else feed(turn, { type: 'time' });
}
