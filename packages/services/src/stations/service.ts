import { type CertificatesDeps, createCertificatesPart } from '../certificates/part.js'
import { installedRootsPart } from '../installed-roots/part.js'
import { localListsPart } from '../local-lists/part.js'
import { composeParts, type OpenParts, type Part, toPart } from '../pipeline/parts.js'
import type { Service } from '../pipeline/service.js'
import { securityPart } from '../security/part.js'
import { transfersPart } from '../transfers/part.js'
import { actions } from './actions.js'
import { availabilityPart } from './availability/part.js'
import { configurationPart } from './configuration/part.js'
import { ownHandlers, type VendorHandlers } from './data-transfer/handlers.js'
import { dataTransferPart } from './data-transfer/part.js'
import { knownValueNews } from './device-model.js'
import { loadStations } from './load.js'
import { connectionRecords } from './presence.js'
import { saveStations } from './save.js'
import type { StationsState } from './state.js'

/** Registration, presence, connector status and device model. */
export const stationsPart: Part<StationsState> = {
  actions,
  records: connectionRecords,
  news: knownValueNews,
  load: loadStations,
  save: saveStations,
}

export interface StationsDeps {
  certificates: CertificatesDeps
  /** For DataTransfer, beside Busbar's own. */
  vendorHandlers?: VendorHandlers
}

/** What stations say about themselves. See README.md. */
export function createStationsService({ certificates, vendorHandlers }: StationsDeps): Service<OpenParts> {
  return {
    name: 'stations',
    topics: (names) => [names.lane('stations')],
    ...composeParts([
      toPart(stationsPart),
      toPart(configurationPart),
      toPart(availabilityPart),
      toPart(localListsPart),
      toPart(transfersPart),
      toPart(dataTransferPart({ ...vendorHandlers, ...ownHandlers })),
      toPart(createCertificatesPart(certificates)),
      toPart(installedRootsPart),
      toPart(securityPart),
    ]),
  }
}
