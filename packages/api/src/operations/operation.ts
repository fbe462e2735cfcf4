import { type Dialect, type Payload, type Protocol, toDialect } from '@busbar/ocpp'
import type { Sql } from '@busbar/store'
import { z } from 'zod'
import type { Api, RouteContext } from '../api.js'
import type { FileAddresses } from '../files/addresses.js'
import { ProblemError } from '../problems.js'
import { CommandReceipt } from '../routes/command-schemas.js'
import { stationParams } from '../schemas.js'
import { expiryDescription, getProtocol, sendForCaller, sendHeaders, sendQuery } from '../send-command.js'

/** What a builder may look at. */
export interface OperationContext extends Pick<RouteContext, 'database' | 'vault' | 'config' | 'metrics'> {
  station: { id: string; protocol: Protocol }
  now: Date
  files: { addresses: FileAddresses; addressHours: number }
}

/** The CALL that an operator's wish becomes. */
export interface Built {
  action: string
  payload: Payload
  /** What looks odd and is sent all the same. */
  warnings?: string[]
  /** Into the commit of the command, when it is a new one. */
  also?: (commandId: string) => Sql[]
}

/** @throws ProblemError 404, 409 or 422 where the wish makes no sense: nothing is sent then */
type Build<Body> = (body: Body, context: OperationContext) => Built | Promise<Built>

/**
 * A command in the operator's words: a token, a limit, a connector. Busbar builds the payload for the version the station
 * speaks and sends it like any command; `POST .../commands` sends what the operator wrote, without these checks.
 */
interface Operation<Body extends z.ZodType> {
  /** Behind `/v1/stations/:id/`; its roles stand in the access table. */
  path: string
  tag: string
  summary: string
  description?: string
  body: Body
  /** Shown in the documentation. */
  example: z.input<Body>
  /** One per version that knows it. */
  build: Partial<Record<Dialect, Build<z.output<Body>>>>
}

export type RegisterOperation = (app: Api, context: RouteContext) => void

const Receipt = CommandReceipt.extend({
  warnings: z.array(z.string()).describe('What looks odd; it was sent all the same'),
}).meta({ id: 'OperationReceipt' })

const operationQuery = sendQuery.extend({
  expiresInSeconds: z.coerce.number().int().min(1).max(604_800).optional().describe(expiryDescription),
})

export function operation<Body extends z.ZodType>(spec: Operation<Body>): RegisterOperation {
  const { path, tag, summary, description, body, example, build } = spec
  return (app, context) => {
    app.post(
      `/v1/stations/:id/${path}`,
      {
        config: { problems: [404, 409, 422] },
        schema: {
          tags: [tag],
          summary,
          ...(description !== undefined && { description }),
          params: stationParams,
          headers: sendHeaders,
          querystring: operationQuery,
          body: body.meta({ examples: [example] }),
          response: {
            200: Receipt.describe('With the verdict'),
            202: Receipt.describe('Recorded; there is no verdict yet'),
          },
        },
      },
      async (request, reply) => {
        const stationId = request.params.id
        const protocol = await getProtocol(context, stationId)
        const buildFor = build[toDialect(protocol)]
        if (!buildFor) throw new ProblemError(409, `This is not offered for ${protocol}; send the command itself.`)
        const station = { id: stationId, protocol }
        const { warnings = [], ...wish } = await buildFor(request.body as z.output<Body>, {
          ...context,
          station,
          now: new Date(),
          files: { addresses: context.addresses, addressHours: context.config.fileAddressHours },
        })
        const { expiresInSeconds } = request.query
        const receipt = await sendForCaller(context, request, reply, {
          stationId,
          protocol,
          expiresInSeconds,
          identity: { path, body: request.body },
          ...wish,
        })
        return { ...receipt, warnings }
      },
    )
  }
}
