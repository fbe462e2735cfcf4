import type { Part } from '../pipeline/parts.js'
import { getLocalListVersion } from './get-local-list-version.js'
import { sendLocalList } from './send-local-list.js'
import type { LocalListsState } from './state.js'
import { loadLocalLists, saveLocalLists } from './statements.js'
import { syncJob, syncList, syncWhenConnected } from './sync.js'

/** What stands on the local authorization lists of stations. See README.md. */
export const localListsPart: Part<LocalListsState> = {
  news: { SendLocalList: sendLocalList, GetLocalListVersion: getLocalListVersion },
  jobs: { [syncJob]: syncList },
  records: { connected: syncWhenConnected },
  load: loadLocalLists,
  save: saveLocalLists,
}
