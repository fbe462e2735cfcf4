import type { Part } from '../pipeline/parts.js'
import { actions } from './actions.js'
import { transferNews } from './requests.js'
import { TransfersState } from './state.js'
import { selectTransfers } from './statements.js'
import type { Transfer } from './transfer.js'

/** Firmware that stations fetch, diagnostics and logs that they send. See README.md. */
export const transfersPart: Part<TransfersState> = {
  actions,
  news: transferNews,
  load: async (session, records) => {
    const stationIds = [...new Set(records.map(({ stationId }) => stationId))]
    return new TransfersState(await session.query<Transfer>(selectTransfers(stationIds)))
  },
  save: (state) => state.save(),
}
