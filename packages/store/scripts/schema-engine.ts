import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils'
import pg from 'pg'

export const prismaFolder = fileURLToPath(new URL('../../../prisma/', import.meta.url))

/**
 * What would have to change in a database so that it is as schema.prisma says, found by Prisma's own schema engine in
 * its WebAssembly build: the native one would have to be downloaded.
 * @returns SQL; empty when nothing would
 */
export async function schemaDifference(databaseUrl: string, schema = readSchema()): Promise<string> {
  const pool = catalogPool(databaseUrl)
  const adapter = () => new PrismaPg(pool).connect()
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: adapter,
    connectToShadowDb: adapter,
  })
  const files = [{ path: 'schema.prisma', content: schema }]
  try {
    bindings ??= loadBindings()
    const { SchemaEngine } = await bindings
    const engine = await SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => {}, factory)
    const { stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: prismaFolder },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters: { externalTables: [], externalEnums: [] },
    })
    const script = (stdout ?? '').trim()
    return script === '-- This is an empty migration.' ? '' : script
  } finally {
    await pool.end()
  }
}

export const readSchema = () => readFileSync(`${prismaFolder}schema.prisma`, 'utf8')

/** The bindings hold one instance of the module for the whole process. */
let bindings: Promise<typeof import('@prisma/schema-engine-wasm')> | undefined

// Missing in the types of Node 20.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: { __wbindgen_start(): void } } }>
}

/** The package's entry imports the .wasm file, which Node 20 does not: it is put together here as that entry does. */
async function loadBindings() {
  const name = '@prisma/schema-engine-wasm/schema_engine_bg'
  const loaded = await import(name)
  const file = createRequire(import.meta.url)
    .resolve(name)
    .replace(/\.js$/, '.wasm')
  const { instance } = await WebAssembly.instantiate(readFileSync(file), { './schema_engine_bg.js': loaded })
  loaded.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return loaded
}

/** The adapter knows no type "char" (oid 18), which the catalog is full of: it is told text (25). */
function catalogPool(connectionString: string): pg.Pool {
  const pool = new pg.Pool({ connectionString, max: 2 })
  const query = pool.query.bind(pool)
  return Object.assign(pool, {
    query: async (statement: pg.QueryArrayConfig) => {
      const result = await query(statement)
      for (const field of result.fields) if (field.dataTypeID === 18) field.dataTypeID = 25
      return result
    },
  })
}
