/**
 * By which way each link goes: by a direct connection, through a TURN server, or through the signaling server.
 * WebRTC tells a TURN server only in its statistics. Where there is one, they are looked at when a link has
 * come up or ended.
 */
import type { Clock } from '../shared/driver/ports.ts';
import type { LinkSnapshot, RingEvent } from '../shared/member/events.ts';
import type { Edge, LinkWay } from '../shared/protocol/signaling.ts';
import type { ReportWay, SocketOptions } from './socket-signaling.ts';

export type LinkWays = Readonly<Record<Edge, LinkWay>>;

/** Milliseconds after a change of the links: WebRTC may find a better pair of addresses in the meantime. */
const LOOKS = [300, 5_000];

export class LinkWatch {
  readonly #clock: Clock;
  readonly #links: () => readonly LinkSnapshot[];
  readonly #mayTurn: () => boolean;
  readonly #onChange: (ways: LinkWays) => void;
  #ways: LinkWays = { successor: 'none', predecessor: 'none' };
  #report: ReportWay | null = null;
  #cancel: () => void = () => undefined;
  /** Counts the changes: what was seen before a later one does not count. */
  #changes = 0;

  /**
   * @param links of the peer at present
   * @param mayTurn whether any of them may go through a TURN server
   */
  constructor(
    clock: Clock,
    links: () => readonly LinkSnapshot[],
    mayTurn: () => boolean,
    onChange: (ways: LinkWays) => void,
  ) {
    this.#clock = clock;
    this.#links = links;
    this.#mayTurn = mayTurn;
    this.#onChange = onChange;
  }

  /** For the connection of a new membership: the server counts the way to each successor. */
  options(): Pick<SocketOptions, 'onReporting'> {
    return {
      onReporting: (report) => {
        this.#report = report;
        report?.(this.#ways.successor);
      },
    };
  }

  note({ type }: RingEvent): void {
    if (type !== 'link') return;
    this.#changes += 1;
    this.#look(LOOKS, this.#changes);
  }

  #look([wait, ...waits]: readonly number[], change: number): void {
    this.#cancel();
    if (wait === undefined) return;
    this.#cancel = this.#clock.after(wait, () => {
      void this.#see(change);
      this.#look(waits, change);
    });
  }

  async #see(change: number): Promise<void> {
    const edges = ['successor', 'predecessor'] as const;
    // Where the server has just gone, so has the code that reads statistics; the next change looks again.
    const ways = await Promise.all(edges.map((edge) => this.#wayOn(edge))).catch(() => null);
    const before = this.#ways;
    if (ways === null || change !== this.#changes) return;
    const [successor = 'none', predecessor = 'none'] = ways;
    if (before.successor === successor && before.predecessor === predecessor) return;
    this.#ways = { successor, predecessor };
    if (before.successor !== successor) this.#report?.(successor);
    this.#onChange(this.#ways);
  }

  async #wayOn(edge: Edge): Promise<LinkWay> {
    const open = this.#links().filter((link) => link.edge === edge && link.state !== 'connecting');
    const link =
      open.find(({ state }) => state === 'in use') ??
      open.find(({ kind }) => kind === 'direct') ??
      open[0];
    if (link === undefined) return 'none';
    if (link.kind === 'relayed') return 'relayed';
    if (!this.#mayTurn()) return 'direct';
    // A connection that ends meanwhile has no statistics.
    const { readStats } = await import('./link-stats.ts');
    const { candidates } = readStats(await link.stats().catch(() => []));
    const isByTurn = candidates?.own === 'relay' || candidates?.other === 'relay';
    return isByTurn ? 'turn' : 'direct';
  }
}
