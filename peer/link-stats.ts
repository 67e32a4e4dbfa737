/** The statistics of a link, as far as a page shows them. */

export interface LinkStats {
  /** The kinds of address at both ends, in ICE's terms; null before there is a pair. */
  readonly candidates: { readonly own: string; readonly other: string } | null;
  /** In milliseconds. */
  readonly roundTrip: number | null;
  readonly sent: number | null;
  readonly received: number | null;
}

/** A report of WebRTC statistics: W3C, Identifiers for WebRTC's Statistics API. */
type StatsReport = Readonly<Record<string, unknown>>;

/** @param reports as `getStats` returns them; a missing or invalid value is unknown */
export function readStats(reports: readonly unknown[]): LinkStats {
  const known = reports.filter(isReport);
  const pair = selectedPair(known);
  const channel = known.find(({ type }) => type === 'data-channel');
  return {
    candidates: pair === undefined ? null : candidatesOf(known, pair),
    roundTrip: milliseconds(pair?.['currentRoundTripTime']),
    sent: number(channel?.['bytesSent']),
    received: number(channel?.['bytesReceived']),
  };
}

/** The transport names the pair in use; Firefox marks the pair instead. */
function selectedPair(reports: readonly StatsReport[]): StatsReport | undefined {
  const named = reports.find(({ type }) => type === 'transport')?.['selectedCandidatePairId'];
  return reports.find(
    ({ type, id, selected }) => type === 'candidate-pair' && (id === named || selected === true),
  );
}

function candidatesOf(reports: readonly StatsReport[], pair: StatsReport): LinkStats['candidates'] {
  const typeOf = (id: unknown) => {
    const type = reports.find((report) => report['id'] === id)?.['candidateType'];
    return typeof type === 'string' ? type : 'unknown';
  };
  return { own: typeOf(pair['localCandidateId']), other: typeOf(pair['remoteCandidateId']) };
}

function isReport(value: unknown): value is StatsReport {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function milliseconds(seconds: unknown): number | null {
  const value = number(seconds);
  return value === null ? null : value * 1_000;
}
