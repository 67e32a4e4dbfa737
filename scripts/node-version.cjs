/*
 * Ends a script with one clear line where Node is too old for it. Loaded before the script, which such a
 * Node may be unable to read: so this file uses only syntax that every Node reads.
 */
'use strict';

var own = process.versions.node.split('.').map(Number);
var ranges = require('../package.json')
  .engines.node.split(' || ')
  .map(function (range) {
    // ^20.19.0 or >=22.12.0
    var parts = /^(\^|>=)(\d+)\.(\d+)\.0$/.exec(range);
    return { isOpen: parts[1] === '>=', major: Number(parts[2]), minor: Number(parts[3]) };
  });

function includesOwn(range) {
  if (own[0] === range.major) return own[1] >= range.minor;
  return range.isOpen && own[0] > range.major;
}

function inWords(range) {
  return (
    range.major + '.' + range.minor + (range.isOpen ? ' or newer' : ' or a later ' + range.major)
  );
}

if (!ranges.some(includesOwn)) {
  console.error(
    'Ringleader needs Node ' +
      ranges.map(inWords).join(', or ') +
      '; this is Node ' +
      process.versions.node +
      ': see https://nodejs.org'
  );
  process.exit(1);
}
