// Writes the types of the API out of its own document, and the document itself.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describeApi } from '@busbar/api'
import openapiTypescript, { astToString } from 'openapi-typescript'

const folder = fileURLToPath(new URL('../src/generated/', import.meta.url))
const document = await describeApi()
mkdirSync(folder, { recursive: true })
writeFileSync(`${folder}api.ts`, astToString(await openapiTypescript(JSON.stringify(document))))
