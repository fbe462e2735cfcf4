import type { v16 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import type { StationsState } from '../state.js'

/** No vendor's messages are known here yet. @see OCPP 1.6 §4.3 */
export const dataTransfer: Decide<v16.DataTransferRequest, v16.DataTransferResponse, StationsState> = () =>
  answer({ status: 'UnknownVendorId' })
