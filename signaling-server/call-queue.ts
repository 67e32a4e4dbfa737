/** What a client asks, in order: where one call has to wait for something, those after it wait as well. */

type Call = () => Promise<void> | null;

export class CallQueue {
  readonly #waiting: Call[] = [];
  #isBusy = false;

  /** Runs a call, now or after those before it. */
  run(call: Call): void {
    this.#waiting.push(call);
    if (!this.#isBusy) this.#runAll();
  }

  #runAll(): void {
    for (let call = this.#waiting.shift(); call !== undefined; call = this.#waiting.shift()) {
      const done = call();
      if (done === null) continue;
      this.#isBusy = true;
      void done.then(() => {
        this.#isBusy = false;
        this.#runAll();
      });
      return;
    }
  }
}
