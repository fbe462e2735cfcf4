import { UnavailableError } from '@busbar/store'
import type { Redis } from 'ioredis'
import type { Dispatched, LapsedGateway, Ownership } from '../ports/ownership.js'
import { leaseMs, provenForMs, rememberedForMs } from '../ports/ownership.js'
import type { CommandMessage } from '../ports/station-channels.js'
import { stationChannel } from '../ports/station-channels.js'
import type { BackboneMetrics } from '../shared/metrics.js'
import { request } from './connection.js'

/*
 * Keys, under the prefix:
 *   owner:<station>    hash {epoch, connection, gateway, protocol}
 *   proven:<station>   hash {profile, at in ms}, what binds it until Postgres knows
 *   sent:<call>        that this CALL was handed to somebody
 *   stations:<gateway> set of the stations it owns
 *   leases             sorted set: gateway by the end of its lease, ms
 *   lapsed:<gateway>   hash station -> "<epoch> <connection>", what its lapse left behind
 *   lapses             sorted set: gateway by when its lapse is handed out (again), ms
 * The scripts make key names of what they read, so they need one Redis (or its replicas), not a Redis Cluster.
 */

const now = `
  local time = redis.call('TIME')
  local micros = time[1] * 1000000 + time[2]
  local millis = math.floor(micros / 1000)`

/** @param ARGV prefix, station, connection, gateway, channel, protocol, profile, proved at, operator's choice at, ms kept */
const register = `${now}
  local proven = ARGV[1] .. 'proven:' .. ARGV[2]
  local held = redis.call('HMGET', proven, 'profile', 'at')
  local provenAt = ARGV[8]
  if held[1] and tonumber(held[2]) > tonumber(ARGV[9]) then
    if tonumber(held[1]) > tonumber(ARGV[7]) then return held end
    if held[1] == ARGV[7] and tonumber(held[2]) > tonumber(provenAt) then provenAt = held[2] end
  end
  redis.call('HSET', proven, 'profile', ARGV[7], 'at', provenAt)
  redis.call('PEXPIRE', proven, ARGV[10])
  local owner = ARGV[1] .. 'owner:' .. ARGV[2]
  local stored = redis.call('HMGET', owner, 'epoch', 'gateway')
  local epoch = micros
  if stored[1] and tonumber(stored[1]) >= epoch then epoch = tonumber(stored[1]) + 1 end
  local text = string.format('%.0f', epoch)
  if stored[2] and stored[2] ~= ARGV[4] then redis.call('SREM', ARGV[1] .. 'stations:' .. stored[2], ARGV[2]) end
  redis.call('HSET', owner, 'epoch', text, 'connection', ARGV[3], 'gateway', ARGV[4], 'protocol', ARGV[6])
  redis.call('SADD', ARGV[1] .. 'stations:' .. ARGV[4], ARGV[2])
  redis.call('PUBLISH', ARGV[5],
    '{"kind":"takeover","epoch":' .. text .. ',"connectionId":' .. cjson.encode(ARGV[3]) .. '}')
  return text`

/** @param ARGV prefix, station */
const find = `
  return redis.call('HMGET', ARGV[1] .. 'owner:' .. ARGV[2], 'connection', 'protocol')`

/** @param ARGV prefix, station, epoch */
const unregister = `
  local owner = ARGV[1] .. 'owner:' .. ARGV[2]
  local stored = redis.call('HMGET', owner, 'epoch', 'gateway')
  if stored[1] ~= ARGV[3] then return 0 end
  redis.call('DEL', owner)
  redis.call('SREM', ARGV[1] .. 'stations:' .. stored[2], ARGV[2])
  return 1`

/**
 * @param ARGV prefix, station, channel, the command's JSON without its opening brace, name of the CALL, ms to know it, ms
 *   until it expires
 */
const dispatch = `
  local sent = ARGV[1] .. 'sent:' .. ARGV[5]
  if redis.call('EXISTS', sent) == 1 then return 'repeated' end
  if tonumber(ARGV[7]) <= 0 then return 'expired' end
  local stored = redis.call('HMGET', ARGV[1] .. 'owner:' .. ARGV[2], 'epoch', 'gateway')
  if not stored[1] then return {0, false, false} end
  local receivers = redis.call('PUBLISH', ARGV[3], '{"epoch":' .. stored[1] .. ',' .. ARGV[4])
  if receivers > 0 then redis.call('SET', sent, '', 'PX', ARGV[6]) end
  return {receivers, stored[1], stored[2]}`

/** @param ARGV prefix, gateway, lease in ms */
const renewLease = `${now}
  return 1 - redis.call('ZADD', ARGV[1] .. 'leases', millis + ARGV[3], ARGV[2])`

/** @param ARGV prefix, ms until a lapse is handed out again */
const takeLapsed = `${now}
  for _, gateway in ipairs(redis.call('ZRANGEBYSCORE', ARGV[1] .. 'leases', '-inf', millis, 'LIMIT', 0, 10)) do
    redis.call('ZREM', ARGV[1] .. 'leases', gateway)
    for _, station in ipairs(redis.call('SMEMBERS', ARGV[1] .. 'stations:' .. gateway)) do
      local stored = redis.call('HMGET', ARGV[1] .. 'owner:' .. station, 'epoch', 'connection', 'gateway')
      if stored[3] == gateway then
        redis.call('HSET', ARGV[1] .. 'lapsed:' .. gateway, station, stored[1] .. ' ' .. stored[2])
        redis.call('DEL', ARGV[1] .. 'owner:' .. station)
      end
    end
    redis.call('DEL', ARGV[1] .. 'stations:' .. gateway)
    redis.call('ZADD', ARGV[1] .. 'lapses', millis, gateway)
  end
  local taken = {}
  for _, gateway in ipairs(redis.call('ZRANGEBYSCORE', ARGV[1] .. 'lapses', '-inf', millis, 'LIMIT', 0, 10)) do
    redis.call('ZADD', ARGV[1] .. 'lapses', millis + ARGV[2], gateway)
    table.insert(taken, {gateway, redis.call('HGETALL', ARGV[1] .. 'lapsed:' .. gateway)})
  end
  return taken`

/** @param ARGV prefix, gateway */
const releaseGateway = `
  if redis.call('ZREM', ARGV[1] .. 'lapses', ARGV[2]) == 1 then
    redis.call('DEL', ARGV[1] .. 'lapsed:' .. ARGV[2])
    return
  end
  redis.call('ZREM', ARGV[1] .. 'leases', ARGV[2])
  for _, station in ipairs(redis.call('SMEMBERS', ARGV[1] .. 'stations:' .. ARGV[2])) do
    local owner = ARGV[1] .. 'owner:' .. station
    if redis.call('HGET', owner, 'gateway') == ARGV[2] then redis.call('DEL', owner) end
  end
  redis.call('DEL', ARGV[1] .. 'stations:' .. ARGV[2])`

const scripts = { register, find, unregister, dispatch, renewLease, takeLapsed, releaseGateway }

/** Ownership on Redis; every call is one script, so nothing happens between its read and its write. */
export function createRedisOwnership(redis: Redis, prefix: string, metrics: BackboneMetrics): Ownership {
  for (const [name, lua] of Object.entries(scripts)) redis.defineCommand(commandName(name), { numberOfKeys: 0, lua })
  const run = (name: keyof typeof scripts, ...values: (string | number)[]): Promise<unknown> => {
    const command = Reflect.get(redis, commandName(name)) as (...values: (string | number)[]) => Promise<unknown>
    return request(metrics, () => command.call(redis, prefix, ...values))
  }

  return {
    register: async (stationId, { connectionId, gatewayId, protocol, proven, profileSetAt }) => {
      const channel = prefix + stationChannel(stationId)
      const proof = [proven.profile, proven.at, profileSetAt?.getTime() ?? 0, provenForMs]
      const result = await run('register', stationId, connectionId, gatewayId, channel, protocol, ...proof)
      if (!Array.isArray(result)) return { epoch: Number(result) }
      const [profile, at] = result.map(Number)
      return { boundTo: { profile: profile ?? 0, at: at ?? 0 } }
    },
    find: async (stationId) => {
      const [connectionId, protocol] = (await run('find', stationId)) as (string | null)[]
      return connectionId && protocol ? { connectionId, protocol } : null
    },
    unregister: async (stationId, epoch) => (await run('unregister', stationId, epoch)) === 1,
    dispatch: async (stationId, command) => {
      if (redis.status !== 'ready') throw new UnavailableError('Redis is away')
      const channel = prefix + stationChannel(stationId)
      // A worker may have slept since its commit.
      const leftMs = Date.parse(command.expiresAt) - Date.now()
      const call = [openJson(command), callName(stationId, command)]
      try {
        const result = await run('dispatch', stationId, channel, ...call, leftMs + rememberedForMs, leftMs)
        if (result === 'repeated' || result === 'expired') return result
        return toDispatched(result as [number, string | null, string | null])
      } catch (cause) {
        if (cause instanceof UnavailableError) return 'unsure'
        throw cause
      }
    },
    renewLease: async (gatewayId) => (await run('renewLease', gatewayId, leaseMs)) === 1,
    takeLapsed: async () => ((await run('takeLapsed', leaseMs)) as [string, string[]][]).map(toLapsedGateway),
    releaseGateway: async (gatewayId) => {
      await run('releaseGateway', gatewayId)
    },
  }
}

const callName = (stationId: string, { commandId, callIndex }: Omit<CommandMessage, 'epoch'>) =>
  `${stationId}:${commandId}/${callIndex}`

const commandName = (name: string) => `busbar_${name}`

/** The script puts the epoch in front. */
const openJson = (command: Omit<CommandMessage, 'epoch'>): string => JSON.stringify(command).slice(1)

function toDispatched([receivers, epoch, gatewayId]: [number, string | null, string | null]): Dispatched {
  return { receivers, epoch: epoch === null ? null : Number(epoch), gatewayId }
}

function toLapsedGateway([gatewayId, fields]: [string, string[]]): LapsedGateway {
  const stations: LapsedGateway['stations'] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [stationId = '', entry = ''] = fields.slice(i, i + 2)
    const space = entry.indexOf(' ')
    stations.push({ stationId, connectionId: entry.slice(space + 1), epoch: Number(entry.slice(0, space)) })
  }
  return { gatewayId, stations }
}
