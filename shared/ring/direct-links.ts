/** What a device has learned of direct links; shared by all members of one page. */
import { RELAY_LATE, RELAY_SOON } from './timing.ts';

export class DirectLinks {
  #lastAttempt: 'none' | 'succeeded' | 'failed' = 'none';

  /** How long a direct link may take before a relayed one is offered as well, in milliseconds. */
  get patience(): number {
    switch (this.#lastAttempt) {
      case 'none':
        return RELAY_SOON;
      case 'succeeded':
        return RELAY_LATE;
      case 'failed':
        return 0;
    }
  }

  /** A direct link has come up. */
  succeeded(): void {
    this.#lastAttempt = 'succeeded';
  }

  /** None has come up to a neighbour that can be reached through the server. */
  failed(): void {
    this.#lastAttempt = 'failed';
  }
}
