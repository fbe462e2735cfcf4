import { type Database, sql } from '@busbar/store'
import type { LapsedGateway, Newcomer, Ownership, ProvenProfile } from '../ports/ownership.js'
import { leaseMs, provenForMs, rememberedForMs } from '../ports/ownership.js'
import { stationChannel } from '../ports/station-channels.js'
import type { LocalStationChannels } from './station-channels.js'

interface Owner extends Pick<Newcomer, 'connectionId' | 'gatewayId' | 'protocol'> {
  epoch: number
}

/** Stations that an earlier process, which did not end well, left behind as connected. */
const selectLeftBehind = sql(`
  SELECT station_id, coalesce(connection_id, '') AS connection_id, coalesce(gateway_id, '') AS gateway_id, epoch
  FROM station_state WHERE online AND epoch < $1`)

interface LeftBehind {
  station_id: string
  connection_id: string
  gateway_id: string
  epoch: bigint
}

/**
 * Ownership within one process. Its gateways live as long as it does, so a lease lapses only when it is not renewed;
 * and the stations of the process before, if that was killed, are handed out as lapsed at the first `takeLapsed`.
 */
export function createLocalOwnership(channels: LocalStationChannels, database: Database): Ownership {
  const startedAtMicros = Date.now() * 1000
  const owners = new Map<string, Owner>()
  const provenProfiles = new Map<string, ProvenProfile>()
  /** End of the lease by performance.now(). */
  const leases = new Map<string, number>()
  const lapses = new Map<string, { gateway: LapsedGateway; handOutAt: number }>()
  /** CALLs that somebody was handed, by when they may be forgotten. */
  const sent = new Map<string, number>()
  let leftBehind: 'unread' | 'read' = 'unread'

  async function takeLeftBehind(): Promise<void> {
    const gateways = new Map<string, LapsedGateway>()
    for (const row of await database.query<LeftBehind>(selectLeftBehind(startedAtMicros))) {
      const gateway = gateways.get(row.gateway_id) ?? { gatewayId: row.gateway_id, stations: [] }
      gateway.stations.push({
        stationId: row.station_id,
        connectionId: row.connection_id,
        epoch: Number(row.epoch),
      })
      gateways.set(row.gateway_id, gateway)
    }
    for (const gateway of gateways.values()) lapses.set(gateway.gatewayId, { gateway, handOutAt: 0 })
    leftBehind = 'read'
  }

  function lapse(gatewayId: string): void {
    leases.delete(gatewayId)
    const stations: LapsedGateway['stations'] = []
    for (const [stationId, owner] of owners) {
      if (owner.gatewayId !== gatewayId) continue
      stations.push({ stationId, connectionId: owner.connectionId, epoch: owner.epoch })
      owners.delete(stationId)
    }
    lapses.set(gatewayId, { gateway: { gatewayId, stations }, handOutAt: 0 })
  }

  return {
    register: async (stationId, { connectionId, gatewayId, protocol, proven, profileSetAt }) => {
      const held = provenProfiles.get(stationId)
      const counts = held && held.at > (profileSetAt?.getTime() ?? 0) && Date.now() - held.at < provenForMs
      if (counts && held.profile > proven.profile) return { boundTo: held }
      const isKnown = counts && held.profile === proven.profile && held.at > proven.at
      provenProfiles.set(stationId, isKnown ? held : proven)
      const epoch = Math.max((owners.get(stationId)?.epoch ?? 0) + 1, Date.now() * 1000)
      owners.set(stationId, { epoch, connectionId, gatewayId, protocol })
      channels.send(stationChannel(stationId), { kind: 'takeover', epoch, connectionId })
      return { epoch }
    },
    find: async (stationId) => owners.get(stationId) ?? null,
    unregister: async (stationId, epoch) => {
      if (owners.get(stationId)?.epoch !== epoch) return false
      return owners.delete(stationId)
    },
    dispatch: async (stationId, command) => {
      const now = Date.now()
      for (const [call, forgetAt] of sent) {
        if (forgetAt > now) break
        sent.delete(call)
      }
      const call = `${stationId}:${command.commandId}/${command.callIndex}`
      if (sent.has(call)) return 'repeated'
      const expiresAt = Date.parse(command.expiresAt)
      if (now >= expiresAt) return 'expired'
      const owner = owners.get(stationId)
      if (!owner) return { receivers: 0, epoch: null, gatewayId: null }
      const { epoch, gatewayId } = owner
      const receivers = channels.send(stationChannel(stationId), { ...command, epoch })
      if (receivers > 0) sent.set(call, expiresAt + rememberedForMs)
      return { receivers, epoch, gatewayId }
    },
    renewLease: async (gatewayId) => {
      const isKnown = leases.has(gatewayId)
      leases.set(gatewayId, performance.now() + leaseMs)
      return isKnown
    },
    takeLapsed: async () => {
      if (leftBehind === 'unread') await takeLeftBehind()
      const now = performance.now()
      for (const [gatewayId, end] of leases) if (end <= now) lapse(gatewayId)
      const due = [...lapses.values()].filter((each) => each.handOutAt <= now)
      for (const each of due) each.handOutAt = now + leaseMs
      return due.map((each) => each.gateway)
    },
    releaseGateway: async (gatewayId) => {
      if (lapses.delete(gatewayId)) return
      leases.delete(gatewayId)
      for (const [stationId, owner] of owners) if (owner.gatewayId === gatewayId) owners.delete(stationId)
    },
  }
}
