/** What clients are told, wherever they are connected, and what the directory is asked. */
import { refusal } from '../broker/turn.ts';
import type { SessionId } from '../broker/state.ts';
import type { Question } from './directory.ts';
import type { Asked, Said } from './envelope.ts';
import { closeClient, post } from './links.ts';
import type { Client, Turn } from './state.ts';

export const TRY_AGAIN = refusal('try-again', 'the room cannot be reached at the moment');

/** Tells a client something, by the broker's number of its connection: it may be another instance's. */
export function tell(turn: Turn, said: Said): void {
  const remote = turn.state.remote.get(said.session);
  if (remote === undefined) {
    tellHere(turn, said);
    return;
  }
  const link = turn.state.down.get(remote.edge);
  if (link !== undefined) post(turn, link, { ...said, session: remote.session });
}

/** Tells a client that is connected here. */
export function tellHere(turn: Turn, said: Said): void {
  const client = turn.state.clients.get(said.session);
  if (client === undefined) return;
  turn.outputs.push(said);
  if (said.type !== 'reply') return;
  const { session, number, reply } = said;
  const asked = client.asks.get(number);
  client.asks.delete(number);
  const isUnbound = reply.ok ? asked?.type === 'leave' : client.binding?.number === number;
  if (isUnbound) client.binding = null;
  if (client.binding !== null || client.asks.size > 0) return;
  // No other instance has to know of it any more.
  for (const link of turn.state.up.values()) closeClient(turn, link, session);
}

/** A client has to ask again. */
export function putOff(turn: Turn, { session, number }: Pick<Asked, 'session' | 'number'>): void {
  if (turn.state.clients.has(session)) turn.outputs.push({ type: 'put off' });
  tellHere(turn, { type: 'reply', session, number, reply: TRY_AGAIN });
}

/** Closes the connection of a client, which comes again. */
export function cut({ outputs }: Turn, session: SessionId, client: Client): void {
  client.binding = null;
  client.asks.clear();
  outputs.push({ type: 'cut', session });
}

/** Asks the directory. */
export function question({ outputs, moment }: Turn, asked: Question): void {
  outputs.push({ type: 'question', asked: { question: asked, at: moment } });
}
