/** The STUN and TURN servers with which links are made, as the signaling server names them. */

export class IceServers {
  #list: readonly RTCIceServer[] | null;
  readonly #waiting: (() => void)[] = [];

  /** @param list null where the server is yet to name them */
  constructor(list: readonly RTCIceServer[] | null = null) {
    this.#list = list;
  }

  /** Whether a link may go through a TURN server. */
  get haveTurn(): boolean {
    const urls = (this.#list ?? []).flatMap((server) => server.urls);
    return urls.some((url) => url.startsWith('turn'));
  }

  /** For the links made from now on. */
  take(list: readonly RTCIceServer[]): void {
    this.#list = list;
    for (const call of this.#waiting.splice(0)) call();
  }

  /** Calls back with the latest ones: at once, or as soon as there are any. */
  whenKnown(call: (list: readonly RTCIceServer[]) => void): void {
    if (this.#list !== null) call(this.#list);
    else this.#waiting.push(() => call(this.#list ?? []));
  }
}
