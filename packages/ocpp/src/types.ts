import type * as v16 from './generated/v16.js'
import type * as v21 from './generated/v21.js'
import type * as v201 from './generated/v201.js'
import type { Protocol } from './protocol.js'

export type { v16, v21, v201 }

export type Requests16 = v16.Requests
export type Responses16 = v16.Responses
export type Requests201 = v201.Requests
export type Responses201 = v201.Responses

interface RequestsByProtocol {
  'ocpp1.6': v16.Requests
  'ocpp2.0.1': v201.Requests
  'ocpp2.1': v21.Requests
}

interface ResponsesByProtocol {
  'ocpp1.6': v16.Responses
  'ocpp2.0.1': v201.Responses
  'ocpp2.1': v21.Responses
}

/** Maps each action of a version to the type of its request. */
export type Requests<P extends Protocol> = RequestsByProtocol[P]
/** Maps each action of a version to the type of its response. */
export type Responses<P extends Protocol> = ResponsesByProtocol[P]
