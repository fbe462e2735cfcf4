/**
 * Makes `src/generated/` from the OCA's JSON schemas: per version one module of types and one of validators that needs
 * no ajv at run time. Nothing of it is committed: the schemas' licence (CC BY-ND 4.0) forbids passing on altered copies.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { _, Ajv } from 'ajv'
import standalone from 'ajv/dist/standalone/index.js'
import { build } from 'esbuild'
import { compile } from 'json-schema-to-typescript'

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)))
const generatedFolder = join(packageFolder, 'src', 'generated')

const versions = [
  { name: 'v16', schemas: await import('typed-ocpp/dist/ocpp16/schemas.js') },
  { name: 'v201', schemas: await import('typed-ocpp/dist/ocpp20/schemas.js') },
  { name: 'v21', schemas: await import('typed-ocpp/dist/ocpp21/schemas.js') },
]

await mkdir(generatedFolder, { recursive: true })
await Promise.all(versions.map(generateVersion))

async function generateVersion({ name, schemas }) {
  const messages = Object.entries(structuredClone({ ...schemas })).map(([title, schema]) => corrected(title, schema))
  const definitions = messages[0].definitions
  const [types, validators] = await Promise.all([typesOf(messages, definitions), validatorsOf(messages, definitions)])
  await writeFile(join(generatedFolder, `${name}.d.ts`), types)
  await writeFile(join(generatedFolder, `validators-${name}.js`), validators)
  await writeFile(
    join(generatedFolder, `validators-${name}.d.ts`),
    [
      "import type { Validator } from '../validator.js'",
      'export declare const validators: Readonly<Record<string, Validator>>',
      'export declare function useDateTime(isDateTime: (text: string) => boolean): void',
      '',
    ].join('\n'),
  )
}

/**
 * The schema of one message with what its publication got wrong mended.
 * A 2.1 NotifyPeriodicEventStream is sent and never answered, so its schema comes without a suffix.
 */
function corrected(title, schema) {
  const message = { ...schema, title: /(Request|Response)$/.test(title) ? title : `${title}Request` }
  if (title === 'Get15118EVCertificateResponse') {
    // The published 5600 is too short for the certificate chains that contract certificate pools deliver.
    message.properties.exiResponse.maxLength = 7500
  }
  return message
}

/**
 * Every definition becomes one function that all messages of the version share; repeated in each message, as published,
 * they would make the code several times as long.
 */
async function validatorsOf(messages, definitions) {
  const ajv = new Ajv({
    strict: false,
    multipleOfPrecision: 6,
    inlineRefs: 3,
    code: { source: true, esm: true, formats: _`formats` },
    formats: { 'date-time': () => true, uri: () => true },
  })
  for (const [key, definition] of Object.entries(definitions)) ajv.addSchema(sharing(definition), key)
  for (const { definitions: _definitions, ...message } of messages) ajv.addSchema(sharing(message), message.title)
  const titles = messages.map(({ title }) => title)
  const source = [
    'let dateTime = () => true',
    'export function useDateTime(isDateTime) { dateTime = isDateTime }',
    // Uploads and downloads go to whatever scheme the station supports, so only the presence of one is checked.
    "const formats = { 'date-time': (text) => dateTime(text), uri: (text) => /^[a-z][a-z0-9+.-]*:/i.test(text) }",
    standalone.default(ajv, Object.fromEntries(titles.map((title) => [title, title]))).replace('"use strict";', ''),
    `export const validators = { ${titles.join(', ')} }`,
  ].join('\n')
  const bundle = await build({
    stdin: { contents: source, resolveDir: packageFolder },
    bundle: true,
    format: 'esm',
    platform: 'node',
    minifySyntax: true,
    minifyWhitespace: true,
    write: false,
    logLevel: 'error',
  })
  return bundle.outputFiles[0].text
}

/** References to the definitions every message repeats, turned into references to the shared ones. */
function sharing(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/definitions/', '"'))
}

/** An interface for each message and definition, and `Requests` and `Responses`, which map an action to its payload. */
async function typesOf(messages, definitions) {
  const all = { ...definitions }
  for (const { definitions: _definitions, ...message } of messages) all[message.title] = message
  const types = await compile({ $id: 'Unused', definitions: all }, 'Unused', {
    bannerComment: '',
    format: false,
    additionalProperties: true,
    ignoreMinAndMaxItems: true,
    unreachableDefinitions: true,
    declareExternallyReferenced: true,
  })
  const mapOf = (suffix) => {
    const titles = messages.map(({ title }) => title).filter((title) => title.endsWith(suffix))
    return titles.map((title) => `  ${title.slice(0, -suffix.length)}: ${title}`)
  }
  return [
    // The generator's note on where a type comes from would name the wrapper, not the message.
    types
      .replaceAll(/\/\*\*\n \* This interface was referenced by `Unused`[^/]*\*\/\n/g, '')
      .replace(/export interface Unused \{[^}]*\}\n/, ''),
    'export interface Requests {',
    ...mapOf('Request'),
    '}',
    'export interface Responses {',
    ...mapOf('Response'),
    '}',
    '',
  ].join('\n')
}
