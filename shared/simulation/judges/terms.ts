/** No peer's term falls, and no peer has two leaders in one term. */
import type { PeerId } from '../../protocol/ids.ts';
import type { Judge, Sight } from './judge.ts';

export class Terms implements Judge {
  readonly problems: string[] = [];
  readonly #terms = new Map<string, number>();
  /** The leader of each term that each peer knew. */
  readonly #decisions = new Map<string, PeerId>();

  see({ name, event, state: { role, term } }: Sight): void {
    if (role === 'offline') return;
    if ((term ?? 0) < (this.#terms.get(name) ?? 0))
      this.problems.push(`the term of ${name} fell to ${String(term)}`);
    this.#terms.set(name, term ?? 0);
    if (event.type !== 'leader') return;
    const held = `${name} in term ${event.term}`;
    const before = this.#decisions.get(held) ?? event.leader;
    this.#decisions.set(held, before);
    if (before !== event.leader)
      this.problems.push(`${held} followed ${before}, then ${event.leader}`);
  }
}
