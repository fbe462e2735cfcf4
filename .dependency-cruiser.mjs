// The arrows of the house: imports go down only, and into a package by its index alone.
const below = {
  ocpp: [],
  store: [],
  pki: [],
  backbone: ['store'],
  files: [],
  gateway: ['backbone', 'store', 'ocpp'],
  services: ['backbone', 'store', 'ocpp', 'pki'],
  api: ['files', 'backbone', 'store', 'ocpp', 'pki'],
  simulator: ['ocpp'],
  client: ['api'],
  busbar: ['gateway', 'services', 'api', 'simulator', 'files', 'backbone', 'store', 'ocpp', 'pki'],
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(below).map(([name, allowed]) => ({
      name: `${name}-imports-only-what-lies-below`,
      severity: 'error',
      from: { path: `^packages/${name}/` },
      to: { path: '^packages/', pathNot: [name, ...allowed].map((each) => `^packages/${each}/`) },
    })),
    ...Object.keys(below).map((name) => ({
      name: `enter-${name}-by-its-index`,
      severity: 'error',
      from: { pathNot: `^packages/${name}/` },
      to: { path: `^packages/${name}/src/`, pathNot: `^packages/${name}/src/index\\.ts$` },
    })),
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-typed-ocpp-at-run-time',
      severity: 'error',
      from: { path: '/src/', pathNot: '\\.test\\.ts$' },
      to: { path: 'typed-ocpp' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '/generated/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'default'] },
  },
}
