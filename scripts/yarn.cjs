/*
 * Yarn runs this in its own place, by .yarnrc.yml: Yarn would install other versions than those of
 * package-lock.json, and newer Yarns stop at a folder that they have not installed.
 */
'use strict';

var script = process.argv[2] || 'install';
var command =
  { install: 'npm ci', start: 'npm start', test: 'npm test' }[script] || 'npm run ' + script;
console.error('Ringleader is run by npm, not by Yarn: ' + command);
process.exit(1);
