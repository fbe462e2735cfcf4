import {
  type Database,
  type IdTag,
  type ListChange,
  type ListItem,
  selectIdTags,
  selectListChanges,
  selectUsableIdTags,
  toAuthorizationData,
} from '@busbar/store'
import { z } from 'zod'
import { type Fault, ProblemError } from '../problems.js'
import { findConfigurationEntries } from '../routes/configuration.js'
import { type OperationContext, operation } from './operation.js'

const tag = 'Local lists'

/** @see OCPP 1.6 §7.28: CiString20Type */
const maxIdTagLength = 20

const value = z.string().trim().min(1).max(255)
const SendList = z.strictObject({
  mode: z.enum(['full', 'differential']).describe('full: the list becomes this one; differential: it is changed'),
  tokens: z
    .array(value)
    .max(100_000)
    .optional()
    .describe('Registered tokens, in any letter case. Without them, full: all usable ones; differential: what differs'),
  remove: z.array(value).max(100_000).optional().describe('Taken off the list; differential only'),
})
type SendList = z.output<typeof SendList>

export const localListOperations = [
  operation({
    path: 'local-list/version',
    tag,
    summary: 'Ask for the version of the local list',
    description: '-1: the station has none; 0: it is empty.',
    body: z.strictObject({}),
    example: {},
    build: { 'ocpp1.6': () => ({ action: 'GetLocalListVersion', payload: {} }) },
  }),

  operation({
    path: 'local-list/send',
    tag,
    summary: 'Send a local list, or what changed of it',
    description:
      'The version is drawn by Busbar. A list that is longer than one message may be (SendLocalListMaxLength) goes out in parts; one that is longer than the station can hold (LocalAuthListMaxLength) does not. Key codes are never on a list: it carries its tokens in clear.',
    body: SendList,
    example: { mode: 'full' },
    build: {
      'ocpp1.6': async (body, context) => {
        const { items, warnings } =
          body.mode === 'full' ? await toFull(body, context) : await toDifferential(body, context)
        return {
          action: 'SendLocalList',
          payload: {
            updateType: body.mode === 'full' ? 'Full' : 'Differential',
            localAuthorizationList: items.map(toAuthorizationData),
          },
          warnings: [...warnings, ...(await findWarnings(context))],
        }
      },
    },
  }),
]

interface Wanted {
  items: readonly ListItem[]
  warnings: readonly string[]
}

async function toFull({ tokens, remove }: SendList, context: OperationContext): Promise<Wanted> {
  if (remove !== undefined) {
    refuse([{ detail: 'a full list leaves out what it does not name', pointer: '/remove' }])
  }
  const { database, now } = context
  const found = tokens === undefined ? null : await findTags(database, tokens, now)
  const items = found ?? (await database.query<IdTag>(selectUsableIdTags(now)))
  await mustHold(items.length, context)
  return { items, warnings: found ? warningsOf(found) : [] }
}

/** What Busbar believes on the list, as far as lengths and differences go. */
interface Believed {
  /** Whether changes can build on it. */
  isKnown: boolean
  tags: ReadonlyMap<string, string>
}

async function toDifferential(body: SendList, context: OperationContext): Promise<Wanted> {
  const { database, station, now } = context
  const believed = await findBelieved(database, station.id)
  if (body.tokens === undefined && body.remove === undefined) {
    if (!believed.isKnown) throw new ProblemError(422, 'Busbar does not know what is on the list: send a full one.')
    const changes = await database.query<ListChange>(selectListChanges([station.id], now))
    if (changes.length === 0)
      throw new ProblemError(422, 'The list holds all usable tokens and no others: nothing differs.')
    await mustHold(lengthAfter(believed, changes), context)
    return { items: changes, warnings: [] }
  }
  const added = await findTags(database, body.tokens ?? [], now)
  const removed = toRemoved(body.remove ?? [], added, believed)
  const items = [...added, ...removed]
  if (items.length === 0) refuse([{ detail: 'names nothing to put on or to take off', pointer: '/tokens' }])
  await mustHold(lengthAfter(believed, items), context)
  return { items, warnings: warningsOf(added) }
}

/** Spelled as they went onto the list. */
function toRemoved(remove: readonly string[], added: readonly IdTag[], { tags }: Believed): ListItem[] {
  const kept = new Set(added.map(({ foldedTag }) => foldedTag))
  const faults = remove.flatMap((each, index) => [
    ...(each.length > maxIdTagLength ? [{ detail: 'is longer than 20 characters', pointer: `/remove/${index}` }] : []),
    ...(kept.has(each.toLowerCase()) ? [{ detail: 'is to be put on as well', pointer: `/remove/${index}` }] : []),
  ])
  refuse(faults)
  const folded = [...new Map(remove.map((each) => [each.toLowerCase(), each]))]
  return folded.map(([foldedTag, each]) => ({
    idTag: tags.get(foldedTag) ?? each,
    status: null,
    expiresAt: null,
    parentIdTag: null,
  }))
}

/** Each once, whatever its spelling. @throws ProblemError 422 naming every token that is not registered */
async function findTags(database: Database, tokens: readonly string[], now: Date): Promise<IdTag[]> {
  const rows = tokens.length === 0 ? [] : await database.query<IdTag>(selectIdTags(tokens, now))
  const known = new Set(rows.map(({ foldedTag }) => foldedTag))
  refuse(
    tokens.flatMap((each, index) =>
      known.has(each.toLowerCase())
        ? []
        : [{ detail: 'is no registered token for OCPP 1.6', pointer: `/tokens/${index}` }],
    ),
  )
  return rows
}

function warningsOf(tags: readonly IdTag[]): string[] {
  return tags
    .filter(({ status }) => status !== 'Accepted')
    .map(({ idTag, status }) => `${idTag} is ${status.toLowerCase()}, and is listed so.`)
}

async function findBelieved({ prisma }: Database, stationId: string): Promise<Believed> {
  const [list, entries] = await Promise.all([
    prisma.localList.findUnique({ where: { stationId } }),
    prisma.localListEntry.findMany({ where: { stationId }, select: { foldedTag: true, idTag: true } }),
  ])
  const isSettled = list?.state === null || list?.state === 'accepted' || list?.state === 'failed'
  return {
    isKnown: list?.known === true && isSettled,
    tags: new Map(entries.map(({ foldedTag, idTag }) => [foldedTag, idTag])),
  }
}

function lengthAfter({ tags }: Believed, items: readonly ListItem[]): number {
  const after = new Set(tags.keys())
  for (const { idTag, status } of items) {
    if (status === null) after.delete(idTag.toLowerCase())
    else after.add(idTag.toLowerCase())
  }
  return after.size
}

async function mustHold(length: number, { database, station }: OperationContext): Promise<void> {
  const [key] = await findConfigurationEntries(database, station.id, 'LocalAuthListMaxLength')
  const limit = Number(key?.value?.trim() || Number.NaN)
  if (!(length > limit)) return
  throw new ProblemError(422, `The station's list holds at most ${limit} tokens (LocalAuthListMaxLength).`, {
    faults: [{ detail: `the list would have ${length}`, pointer: '/tokens' }],
  })
}

async function findWarnings({ database, station }: OperationContext): Promise<string[]> {
  const [key] = await findConfigurationEntries(database, station.id, 'LocalAuthListEnabled')
  return key?.value?.trim().toLowerCase() === 'false'
    ? ['The station does not use its list (LocalAuthListEnabled is false).']
    : []
}

/** @throws ProblemError 422 when there is a fault */
function refuse(faults: readonly Fault[]): void {
  if (faults.length > 0) throw new ProblemError(422, 'This list cannot be sent.', { faults })
}
