import { CannotRun, type Case, cold } from '../lab.js'

const waiting: Case = cold(async () => {
  throw new CannotRun('there is no TLS listener')
})

/** Security, as far as it needs TLS. */
export const tls = {
  TC_074_CSMS: waiting,
  TC_077_CSMS: waiting,
  TC_083_CSMS: waiting,
  TC_086_CSMS: waiting,
  TC_087_CSMS: waiting,
  'RPC16-23': waiting,
  'UC16-Sec-1': waiting,
}
