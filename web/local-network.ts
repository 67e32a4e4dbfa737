/**
 * Whether the browser lets this page reach devices of the local network. Chromium asks for that, as a
 * permission of the site (https://wicg.github.io/local-network-access/).
 */

/** The names that it has had; a browser knows one of them, or none. */
const NAMES = ['local-network', 'local-network-access'];

/**
 * Observes the permission, where the browser has it.
 * @param onDenied called with whether it is denied, now and whenever that changes
 */
export async function watchLocalNetwork(
  permissions: Permissions | undefined,
  onDenied: (isDenied: boolean) => void,
): Promise<void> {
  for (const name of NAMES) {
    const status = await query(permissions, name);
    if (status === null) continue;
    const tell = () => {
      onDenied(status.state === 'denied');
    };
    status.addEventListener('change', tell);
    tell();
    return;
  }
}

/** null where the browser knows no such permission. */
async function query(
  permissions: Permissions | undefined,
  name: string,
): Promise<PermissionStatus | null> {
  if (!isName(name)) return null;
  return (await permissions?.query({ name }).catch(() => null)) ?? null;
}

/** TypeScript knows fewer names than browsers; one that is not known there is an error of `query`. */
function isName(name: string): name is PermissionName {
  return NAMES.includes(name);
}
