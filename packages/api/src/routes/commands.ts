import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import { pageOf, pageQuery, parseCursor, toPage } from '../cursor.js'
import { found } from '../problems.js'
import { idParams, stationParams, text, toTime } from '../schemas.js'
import { expiryDescription, getProtocol, sendForCaller, sendHeaders, sendQuery } from '../send-command.js'
import { Command, CommandReceipt, type CommandRow, commandColumns, toCommand } from './command-schemas.js'

/** A local list or a certificate chain; the topics take records of 5 MiB. */
const maxCommandBytes = 4 * 1024 * 1024

const CommandDraft = z.strictObject({
  action: text(50).describe("Any that the CSMS sends in the station's OCPP version"),
  payload: z.record(z.string(), z.unknown()).default({}).describe("Checked against the version's schema"),
  expiresInSeconds: z.int().min(1).max(604_800).optional().describe(expiryDescription),
})

const tags = ['Commands']

export function commandRoutes(app: Api, context: RouteContext): void {
  const { database } = context

  app.post(
    '/v1/stations/:id/commands',
    {
      bodyLimit: maxCommandBytes,
      config: { problems: [404, 409, 422] },
      schema: {
        tags,
        summary: 'Send a command to a station',
        description:
          'Sent at most once, and there is always a verdict: here when `wait` is long enough, else at the location this answers with, and on the topic of command results.',
        params: stationParams,
        headers: sendHeaders,
        querystring: sendQuery,
        body: CommandDraft,
        response: {
          200: CommandReceipt.describe('With the verdict'),
          202: CommandReceipt.describe('Recorded; there is no verdict yet'),
        },
      },
    },
    async (request, reply) => {
      const stationId = request.params.id
      const protocol = await getProtocol(context, stationId)
      return sendForCaller(context, request, reply, { stationId, protocol, ...request.body })
    },
  )

  app.get(
    '/v1/stations/:id/commands',
    {
      schema: {
        tags,
        summary: "List a station's commands, newest first",
        params: stationParams,
        querystring: pageQuery,
        response: { 200: pageOf(Command) },
      },
    },
    async ({ params: { id }, query: { limit, cursor } }) => {
      const before = parseCursor(cursor, z.tuple([z.iso.datetime(), z.uuid()]))
      const rows = await database.query<CommandRow>({
        text: `SELECT ${commandColumns} FROM command
               WHERE station_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
               ORDER BY created_at DESC, id DESC LIMIT $4`,
        values: [id, before?.[0] ?? null, before?.[1] ?? null, limit + 1],
      })
      return toPage(
        rows,
        limit,
        (row) => toCommand(row, context.vault),
        (row) => [toTime(row.createdAt), row.id],
      )
    },
  )

  app.get(
    '/v1/commands/:id',
    {
      config: { problems: [404] },
      schema: {
        tags,
        summary: 'Read a command with the whole answer of the station',
        params: idParams,
        response: { 200: Command },
      },
    },
    async ({ params: { id } }) => toCommand(found(await context.commandBooks.find(id), 'command'), context.vault),
  )
}
