import type { v201 } from '@busbar/ocpp'
import { answer, type Decide } from '../../pipeline/service.js'
import type { StationsState } from '../state.js'

/** No vendor's messages are known here yet. @see OCPP 2.0.1 part 2 P02.FR.06, §1.13 */
export const dataTransfer: Decide<v201.DataTransferRequest, v201.DataTransferResponse, StationsState> = () =>
  answer({ status: 'UnknownVendorId' })
