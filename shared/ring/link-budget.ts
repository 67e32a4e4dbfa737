/**
 * How many WebRTC connections a page may still make. Chromium allows a page about 500 in its life,
 * closed ones included; once they are spent nothing but relayed links is left.
 */
export class LinkBudget {
  #left: number;

  /** @param connections that may be made in all */
  constructor(connections = 450) {
    this.#left = connections;
  }

  get isSpent(): boolean {
    return this.#left === 0;
  }

  /** Takes one, if there is one left. */
  spend(): boolean {
    if (this.#left === 0) return false;
    this.#left -= 1;
    return true;
  }
}
