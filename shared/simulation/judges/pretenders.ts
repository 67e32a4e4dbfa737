/** No peer follows a leader that was not elected: where no peer lies, there is no such leader. */
import type { Judge, Sight } from './judge.ts';

export class Pretenders implements Judge {
  readonly problems: string[] = [];
  /** The leaders that were elected, each with its term. */
  readonly #elected = new Set<string>();

  see({ name, event, state: { role } }: Sight): void {
    if (role === 'offline' || event.type !== 'leader') return;
    const office = `${event.leader} in term ${event.term}`;
    if (event.isSelf) this.#elected.add(office);
    else if (!this.#elected.has(office))
      this.problems.push(`${name} follows ${office}, who was not elected in it`);
  }
}
