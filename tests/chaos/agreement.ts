/** What must be true of all peers once there are no faults. */
import type { MemberState } from './messages.ts';
import type { Network } from './network.ts';

/** A live member: its process, and its state. */
export interface Member {
  /** For people: process and slot, or tab. */
  readonly name: string;
  readonly state: MemberState;
}

/** What all agree on. */
export interface Agreement {
  readonly leader: string | null;
  readonly term: number | null;
  /** In any order. */
  readonly ids: ReadonlySet<string>;
}

export interface Problem {
  readonly member: Member;
  readonly what: string;
}

/**
 * What keeps the members from being one ring that agrees; nothing where all is well.
 * @param links the kinds of links in a ring at rest
 */
export function problemsOf(members: readonly Member[], links: Network['links']): Problem[] {
  const problems: Problem[] = [];
  const byId = new Map(members.map((member) => [member.state.id, member]));
  const greatest = [...byId.keys()].toSorted().at(-1) ?? null;
  const [first] = members;
  if (first === undefined) return problems;
  const { term } = first.state;
  for (const member of members) {
    const { state } = member;
    const check = (isRight: boolean, what: string) => {
      if (!isRight) problems.push({ member, what });
    };
    const role = state.id === greatest ? 'leader' : 'follower';
    check(state.role === role, `is ${state.role}, not ${role}`);
    check(state.leader === greatest, `follows ${state.leader ?? 'nobody'}, not ${greatest ?? ''}`);
    check(state.term === term, `is in term ${state.term ?? '–'}, ${first.name} in ${term ?? '–'}`);
    check(state.size === members.length, `counts ${state.size ?? '–'}, not ${members.length}`);
    check(state.server === 'connected', `server: ${state.server}`);
    if (members.length > 1) {
      check(state.successorLink === links, `link to successor: ${state.successorLink}`);
      check(state.predecessorLink === links, `link to predecessor: ${state.predecessorLink}`);
    }
    const successor = byId.get(state.successor ?? '');
    check(successor !== undefined, `its successor ${state.successor ?? '–'} does not live`);
    if (successor !== undefined)
      check(
        successor.state.predecessor === state.id,
        `its successor ${successor.name} has the predecessor ${successor.state.predecessor ?? '–'}`,
      );
  }
  const seen = new Set<string>();
  for (let at: Member | undefined = first; at !== undefined && !seen.has(at.state.id);) {
    seen.add(at.state.id);
    at = byId.get(at.state.successor ?? '');
  }
  if (seen.size !== members.length)
    problems.push({
      member: first,
      what: `successors lead from it through ${seen.size} of ${members.length} peers`,
    });
  return problems;
}

export function agreementOf(members: readonly Member[]): Agreement {
  const [first] = members;
  return {
    leader: first?.state.leader ?? null,
    term: first?.state.term ?? null,
    ids: new Set(members.map(({ state }) => state.id)),
  };
}

/** One line on a member, for a table of all. */
export function describeMember({ name, state }: Member): string {
  const short = (id: string | null) => (id ?? '–').slice(0, 8).padEnd(8);
  return [
    name.padEnd(8),
    short(state.id),
    state.role.padEnd(9),
    `term ${String(state.term ?? '–').padEnd(5)}`,
    `leader ${short(state.leader)}`,
    `size ${String(state.size ?? '–').padEnd(3)}`,
    `successor ${short(state.successor)} ${state.successorLink.padEnd(10)}`,
    `predecessor ${short(state.predecessor)} ${state.predecessorLink.padEnd(10)}`,
    `server ${state.server}`,
  ].join('  ');
}
