/** What this page's connections carry in their address, to be told what has come of them; no secret. */
export const ATTEMPT = { attempt: Math.random().toString(36).slice(2) };
