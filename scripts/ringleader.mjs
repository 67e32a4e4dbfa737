#!/usr/bin/env node
/** `npx ringleader …`: installs and builds what is missing, then does what it is told. */
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';

await ensureInstalled();
await build();
await import('../dist/terminal/main.js');
