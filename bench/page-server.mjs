/** Serves one page, and its program if it has one. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

/** What a page shows, in the same elements as ours, so that the same is read from each. */
const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <link rel="icon" href="data:," />
    <title>Reference</title>
  </head>
  <body>
    <p class="own"></p>
    <p class="headline"></p>
    <script type="module" src="/program.js"></script>
  </body>
</html>
`;

const TYPES = { html: 'text/html', js: 'text/javascript' };

/**
 * @param {string} page
 * @param {string} [program] of the page's /program.js
 */
export function pageServer(page, program = '') {
  return createServer(({ url }, response) => {
    const [type, body] = url === '/program.js' ? [TYPES.js, program] : [TYPES.html, page];
    response.setHeader('content-type', type).end(body);
  });
}

/**
 * The server of a page whose program is built as ours is: by Vite, into one file.
 * @param {string} file of the program, in this folder
 * @param {Record<string, number>} constants that it uses, by name
 */
export async function programServer(file, constants) {
  const { output } = await build({
    configFile: false,
    root: fileURLToPath(new URL('.', import.meta.url)),
    logLevel: 'warn',
    define: Object.fromEntries(
      Object.entries(constants).map(([name, value]) => [name, JSON.stringify(value)]),
    ),
    build: {
      write: false,
      modulePreload: { polyfill: false },
      target: 'baseline-widely-available',
      rolldownOptions: { input: file },
    },
  });
  return pageServer(PAGE, output[0].code);
}

/** Listens on a free port of this machine, and tells contenders.mjs where. */
export async function listen(server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log(`listening on http://localhost:${server.address().port}`);
}
