/** Whose pages may connect. */

/** Characters of each that a refusal quotes. */
const MAX_QUOTED = 200;

/** A page may connect to the server it came from; programs that are no browsers send no origin. */
export function isAllowedOrigin(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes('*') || allowed.includes(origin)) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}

/** What was compared, and what helps: for the log. */
export function originRefusal(origin = '', host = ''): string {
  const [from, to] = [origin, host].map((each) => each.slice(0, MAX_QUOTED));
  return `pages of origin "${from}" may not connect; the Host header of the request was "${to}": add the origin to ALLOWED_ORIGINS, or have the proxy pass on the Host header`;
}
