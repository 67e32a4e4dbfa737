/** Headers that say what a page of this server may do, and what may be done with it. */

/**
 * The pages consist of files of this server alone, and talk to it alone. The room's name is in their address,
 * which no other server needs to know.
 * @param frameAncestors origins whose pages may show them in a frame
 */
export function pageHeaders(frameAncestors: readonly string[]): Map<string, string> {
  const policy = {
    'default-src': `'none'`,
    'script-src': `'self'`,
    'style-src': `'self'`,
    'img-src': `'self'`,
    // WebSockets to this server, too.
    'connect-src': `'self'`,
    'base-uri': `'none'`,
    'form-action': `'none'`,
    'frame-ancestors': frameAncestors.length === 0 ? `'none'` : frameAncestors.join(' '),
  };
  const directives = Object.entries(policy).map((directive) => directive.join(' '));
  return new Map([
    ['content-security-policy', directives.join('; ')],
    ['referrer-policy', 'no-referrer'],
    ['x-content-type-options', 'nosniff'],
  ]);
}
