import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import type { DiagnoseMigrationHistoryOutput, SchemaEngine } from '@prisma/schema-engine-wasm'
import pg from 'pg'

export const prismaFolder = fileURLToPath(new URL('../../../prisma/', import.meta.url))

const filters = { externalTables: [], externalEnums: [] }

/**
 * What would have to change in a database so that it is as schema.prisma says.
 * @returns SQL; empty when nothing would
 */
export async function schemaDifference(databaseUrl: string, schema = readSchema()): Promise<string> {
  const files = [{ path: 'schema.prisma', content: schema }]
  const { stdout } = await withEngine(databaseUrl, schema, (engine) =>
    engine.diff({
      from: { tag: 'schemaDatasource', files, configDir: prismaFolder },
      to: { tag: 'schemaDatamodel', files },
      script: true,
      exitCode: null,
      filters,
    }),
  )
  const script = (stdout ?? '').trim()
  return script === '-- This is an empty migration.' ? '' : script
}

/** What `prisma migrate status` finds wrong between prisma/migrations and the history a database keeps. */
export function diagnoseHistory(databaseUrl: string): Promise<DiagnoseMigrationHistoryOutput> {
  const baseDir = `${prismaFolder}migrations`
  const file = (path: string) => ({ path, content: readFileSync(`${baseDir}/${path}`, 'utf8') })
  const directories = readdirSync(baseDir, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return withEngine(databaseUrl, readSchema(), (engine) =>
    engine.diagnoseMigrationHistory({
      migrationsList: {
        baseDir,
        lockfile: file('migration_lock.toml'),
        shadowDbInitScript: '',
        migrationDirectories: directories.map(({ name }) => ({
          path: name,
          migrationFile: {
            path: 'migration.sql',
            content: { tag: 'ok', value: file(`${name}/migration.sql`).content },
          },
        })),
      },
      optInToShadowDatabase: false,
      filters,
    }),
  )
}

/** Prisma's own schema engine in its WebAssembly build: the native one would have to be downloaded. */
async function withEngine<T>(url: string, schema: string, run: (engine: SchemaEngine) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const adapter = () => catalogAdapter(pool)
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: '@prisma/adapter-pg',
    connect: adapter,
    connectToShadowDb: adapter,
  })
  try {
    bindings ??= loadBindings()
    const { SchemaEngine } = await bindings
    return await run(await SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => {}, factory))
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

/** Postgres' type of one character, "char", which its catalog is full of, and text. */
const [charOid, textOid] = [18, 25]

/** The adapter knows no type "char": it is told text, and the engine then what it was. */
async function catalogAdapter(pool: pg.Pool) {
  const query = pool.query.bind(pool)
  let characters: string[] = []
  Object.assign(pool, {
    query: async (statement: pg.QueryArrayConfig) => {
      const result = await query(withoutNotNull(statement))
      const found = result.fields.filter(({ dataTypeID }) => dataTypeID === charOid)
      for (const field of found) field.dataTypeID = textOid
      characters = found.map(({ name }) => name)
      return result
    },
  })
  const adapter = await new PrismaPg(pool).connect()
  const queryRaw = adapter.queryRaw.bind(adapter)
  adapter.queryRaw = async (statement) => {
    const result = await queryRaw(statement)
    const columnTypes = result.columnTypes.map((type, index) =>
      characters.includes(result.columnNames[index] ?? '') ? ColumnTypeEnum.Character : type,
    )
    return { ...result, columnTypes }
  }
  return adapter
}

/** Since Postgres 18 NOT NULL is a constraint of the catalog too, of a kind this engine does not know. */
const withoutNotNull = (statement: pg.QueryArrayConfig): pg.QueryArrayConfig => ({
  ...statement,
  text: statement.text.replace("contype NOT IN ('p', 'u', 'f')", "contype NOT IN ('p', 'u', 'f', 'n')"),
})
