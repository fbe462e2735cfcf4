import type { Payload } from '@busbar/ocpp'
import { toObjects } from '../pipeline/objects.js'
import type { AnswerVerdict } from './command.js'

/** Answers with several results: each has a status of its own. */
const resultLists: Readonly<Record<string, { list: string; status: string }>> = {
  SetVariables: { list: 'setVariableResult', status: 'attributeStatus' },
  SetVariableMonitoring: { list: 'setMonitoringResult', status: 'status' },
  ClearVariableMonitoring: { list: 'clearMonitoringResult', status: 'status' },
}

/** Status values by which a station agrees; 'Accepted' alone for what is not named. 1.6 and 2.0.1 agree on them. */
const agreeing: Readonly<Record<string, readonly string[]>> = {
  ChangeAvailability: ['Accepted', 'Scheduled'],
  ChangeConfiguration: ['Accepted', 'RebootRequired'],
  GetLog: ['Accepted', 'AcceptedCanceled'],
  Reset: ['Accepted', 'Scheduled'],
  SetVariables: ['Accepted', 'RebootRequired'],
  SignedUpdateFirmware: ['Accepted', 'AcceptedCanceled'],
  UnlockConnector: ['Unlocked'],
  UnpublishFirmware: ['Unpublished'],
  UpdateFirmware: ['Accepted', 'AcceptedCanceled'],
}

/**
 * Says whether the station agreed. Of an answer with several results only when it agreed to all of them; which ones it
 * refused stands in the answer. An answer without a status (GetConfiguration, GetVariables) is one the station agreed to
 * give.
 * @param response held against its schema before
 */
export function toAnswerVerdict(action: string, response: Payload): AnswerVerdict {
  const accepted = agreeing[action] ?? ['Accepted']
  return statuses(action, response).every((status) => accepted.includes(status)) ? 'accepted' : 'rejected'
}

function statuses(action: string, response: Payload): string[] {
  const results = resultLists[action]
  const values = results ? toObjects(response[results.list]).map((each) => each[results.status]) : [response.status]
  return values.filter((value) => typeof value === 'string')
}
