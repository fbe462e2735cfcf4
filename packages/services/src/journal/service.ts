import { insertInto, type Sql } from '@busbar/store'
import type { InboundRecord, Service } from '../pipeline/service.js'
import { type FrameRow, toFrameRow } from './frames.js'

/** What a batch adds. Nothing is read first: frames never change, counts only grow. */
export interface JournalState {
  frames: FrameRow[]
  /** By station and UTC day. */
  heartbeats: Map<string, { stationId: string; day: string; count: number }>
}

// A frame that comes again, from a redo of its gateway, is the same row.
const insertFrames = insertInto(
  'journal_frame',
  {
    at: 'timestamptz',
    stationId: 'text',
    connectionId: 'text',
    direction: 'text',
    sequence: 'int8',
    protocol: 'text',
    kind: 'text',
    action: 'text',
    messageId: 'text',
    frame: 'bytea',
    note: 'text',
  },
  'ON CONFLICT DO NOTHING',
)

const addHeartbeats = insertInto(
  'heartbeat_count',
  { stationId: 'text', day: 'date', count: 'int4' },
  'ON CONFLICT (station_id, day) DO UPDATE SET count = heartbeat_count.count + EXCLUDED.count',
)

/** Keeps what went over the sockets, secrets removed. See README.md. */
export function createJournalService(): Service<JournalState> {
  return {
    name: 'journal',
    topics: (names) => names.frames,
    reads: 'headers',
    gathered: (names) => names.frames,
    load: async () => ({ frames: [], heartbeats: new Map() }),
    decide: (record, state) => {
      const frame = toFrameRow(record)
      if (frame) state.frames.push(frame)
      if (record.type === 'presence' || record.type === 'disconnected') countHeartbeats(record, state)
      return {}
    },
    save: ({ frames, heartbeats }): Sql[] => [
      ...(frames.length > 0 ? [insertFrames(frames)] : []),
      ...(heartbeats.size > 0 ? [addHeartbeats([...heartbeats.values()])] : []),
    ],
  }
}

/** `heartbeats` of a record: those since the connection's record before it. */
function countHeartbeats({ stationId, receivedAt, record }: InboundRecord, state: JournalState): void {
  const { heartbeats } = JSON.parse(record.value.toString('utf8')) as { heartbeats?: unknown }
  if (typeof heartbeats !== 'number' || !Number.isInteger(heartbeats) || heartbeats <= 0) return
  const day = receivedAt.toISOString().slice(0, 10)
  const key = `${day} ${stationId}`
  const sum = state.heartbeats.get(key) ?? { stationId, day, count: 0 }
  sum.count += heartbeats
  state.heartbeats.set(key, sum)
}
