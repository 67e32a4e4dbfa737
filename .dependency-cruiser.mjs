/** The direction of imports: shared <- signaling-server, shared <- peer <- web, and terminal imports all but web. */

/** Inside the project, these folders may import these (and themselves) and no others. */
const MAY_IMPORT = {
  shared: [],
  'signaling-server': ['shared'],
  peer: ['shared'],
  web: ['peer', 'shared'],
  terminal: ['peer', 'shared', 'signaling-server'],
  bench: ['shared'],
  scripts: ['bench'],
};

const SHARED_MAY_IMPORT = {
  protocol: [],
  election: ['protocol'],
  machine: [],
  member: ['election', 'machine', 'protocol'],
  driver: ['machine', 'member', 'election', 'protocol'],
  broker: ['machine', 'protocol'],
  instances: ['broker', 'driver', 'machine', 'protocol'],
  narration: ['member', 'election', 'protocol'],
};

const own = '^(shared|signaling-server|peer|terminal|web|tests|bench|scripts)/';

const directions = Object.entries(MAY_IMPORT).map(([folder, others]) => ({
  name: `${folder}-imports`,
  comment: `${folder}/ imports only ${[folder, ...others].join(', ')}`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: { path: own, pathNot: `^(${[folder, ...others].join('|')})/` },
}));

const sharedDirections = Object.entries(SHARED_MAY_IMPORT).map(([folder, others]) => ({
  name: `shared-${folder}-imports`,
  comment: `shared/${folder}/ imports only ${[folder, ...others].join(', ')}`,
  severity: 'error',
  from: { path: `^shared/${folder}/` },
  to: { path: '^shared/', pathNot: `^shared/(${[folder, ...others].join('|')})/` },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...directions,
    ...sharedDirections,
    {
      name: 'shared-packages',
      comment: 'shared/ runs anywhere: no package but valibot, nothing of Node or the page',
      severity: 'error',
      from: { path: '^shared/' },
      to: { pathNot: ['^shared/', '^node_modules/valibot/'] },
    },
    {
      name: 'redis-on-demand',
      comment: 'a server without REDIS_URL loads nothing of Redis',
      severity: 'error',
      from: { path: '^(signaling-server|terminal)/', pathNot: '^signaling-server/redis' },
      to: {
        path: ['^signaling-server/redis', '^node_modules/(ioredis|@msgpack)/'],
        dynamic: false,
      },
    },
    {
      name: 'simulation-is-a-top',
      comment: 'nothing in shared/ but simulation/ imports simulation/',
      severity: 'error',
      from: { path: '^shared/', pathNot: '^shared/simulation/' },
      to: { path: '^shared/simulation/' },
    },
    {
      name: 'page-packages',
      comment: 'what runs in a page has no Node',
      severity: 'error',
      from: { path: '^(peer|web)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-orphans',
      comment: 'a file that neither imports nor is imported is no part of anything',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: [
          '^shared/election/',
          '^web/simple-peer/',
          '\\.d\\.ts$',
          '\\.test\\.ts$',
          '^scripts/',
          // Loaded by --import.
          '^bench/measured-process\\.mjs$',
        ],
      },
      to: {},
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-packages',
      comment: 'a package that package.json does not name may vanish with another',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'development-packages',
      comment: 'the server runs on dependencies alone',
      severity: 'error',
      from: { path: '^(shared|signaling-server|terminal)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^dist/' },
    // Imports of types count: they too tie one folder to another.
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js', '.svelte', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'svelte', 'browser', 'node', 'types', 'default'],
    },
  },
};
