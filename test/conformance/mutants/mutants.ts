import type { CaseId } from '../v16/rows.js'

/** One place of the source, exactly as it stands there once. */
export interface Change {
  /** Behind packages/. */
  file: string
  find: string
  replace: string
}

/** A fault of the product, with the cases that have to notice it. */
export interface Mutant {
  name: string
  changes: readonly Change[]
  killers: readonly CaseId[]
}

const mutant = (name: string, killers: readonly CaseId[], ...changes: readonly Change[]): Mutant => ({
  ...{ name, killers, changes },
})
const at = (file: string) => (find: string, replace: string) => ({ file, find, replace })

const authorization = at('services/src/transactions/authorization.ts')
const startTransaction = at('services/src/transactions/v16/start-transaction.ts')
const stopTransaction = at('services/src/transactions/v16/stop-transaction.ts')
const outbound = at('gateway/src/connection/outbound.ts')
const proof = at('gateway/src/upgrade/proof.ts')
const gate = at('gateway/src/connection/gate.ts')
const boot = at('services/src/stations/boot.ts')
const settle = at('services/src/smart-charging/settle.ts')
const reservation = at('services/src/reservations/reservation.ts')

export const mutants: readonly Mutant[] = [
  mutant(
    'the gate lets everything in before the boot',
    ['RPC16-19'],
    gate("    if (action === 'BootNotification') return true\n", '    return true\n'),
  ),
  mutant(
    'a remote start goes to a Pending station',
    ['UC16-Boot-1'],
    gate("  if (remoteControl.has(action)) return 'The station is not accepted: no remote start or stop'\n", ''),
  ),
  mutant(
    'commands go to a Rejected station',
    ['UC16-Boot-2'],
    gate("  if (registration !== 'Rejected') return null\n", '  return null\n'),
  ),
  mutant(
    'blocked is told as Invalid',
    ['TC_023_3_CSMS', 'UC16-Start-2'],
    authorization("return { status: 'Blocked', token }", "return { status: 'Invalid', token }"),
  ),
  mutant(
    'the expiry of a token does not count',
    ['TC_023_2_CSMS'],
    authorization("  if (token.expiresAt && token.expiresAt <= now) return { status: 'Expired', token }\n", ''),
  ),
  mutant(
    'the group of a token is not told',
    ['TC_053_CSMS', 'UC16-Auth-1'],
    authorization('    ...(token?.groupId && token.groupId.length <= 20 && { parentIdTag: token.groupId }),\n', ''),
  ),
  mutant(
    'a token may run any number of transactions',
    ['UC16-Auth-1'],
    authorization('running < token.maxTransactions ?', 'running >= 0 ?'),
  ),
  mutant(
    'a repeated StartTransaction gets a new id',
    ['UC16-Start-1', 'RPC16-20'],
    startTransaction(
      '    return answer(toResponse(known, step.decided))\n',
      '    return answer({ ...toResponse(known, step.decided), transactionId: Number(record.headers.transactionId) })\n',
    ),
  ),
  mutant(
    'a transaction of an unknown token is refused its id',
    ['TC_037_3_CSMS'],
    startTransaction(
      '    transactionId: Number(transaction.ocppId),\n',
      "    transactionId: (decided as { status: string }).status === 'Invalid' ? -1 : Number(transaction.ocppId),\n",
    ),
  ),
  mutant(
    'a boot closes the open transactions',
    ['TC_032_1_CSMS', 'UC16-Reset-1'],
    at('services/src/stations/save.ts')(
      '    ...write(state.changedStates, statements.upsertStates),\n',
      `    ...write(state.changedStates, statements.upsertStates),
    ...write(state.changedStates, (rows) => ({
      text: "UPDATE charging_transaction SET status = 'ended', ended_at = now() WHERE status = 'active' AND station_id = ANY($1)",
      values: [rows.map(({ stationId }) => stationId)],
    })),\n`,
    ),
  ),
  mutant(
    'statuses count in the order they arrive',
    ['UC16-Status-1'],
    at('services/src/stations/connector-status.ts')(
      'if (connector.statusAt && connector.statusAt > statusAt &&',
      'if (false && connector.statusAt && connector.statusAt > statusAt &&',
    ),
  ),
  mutant(
    'a stop of an unknown transaction gets a CALLERROR',
    ['UC16-Stop-1'],
    stopTransaction('import { readStopTransaction16,', 'import { OcppError, readStopTransaction16,'),
    stopTransaction(
      '  if (isIssuedId(stop.transactionId)) return orphanOf(',
      `  if (isIssuedId(stop.transactionId) && !state.findByOcppId(stationId, stop.transactionId)) {
    throw new OcppError('PropertyConstraintViolation', 'No such transaction')
  }
  if (isIssuedId(stop.transactionId)) return orphanOf(`,
    ),
  ),
  mutant(
    'a second stop overwrites the first',
    ['UC16-Stop-1'],
    stopTransaction('const isSecond = transaction.endedAt !== null', 'const isSecond = false'),
  ),
  mutant(
    'a stop with id -1 is matched to nothing',
    ['UC16-Start-3'],
    stopTransaction(
      '  const match = matchStop(stray, state.openTransactions(stationId))',
      '  const match = null as ReturnType<typeof matchStop>',
    ),
  ),
  mutant(
    'a missing reason is not Local',
    ['UC16-Stop-2'],
    at('ocpp/src/readers/stop-transaction-16.ts')(
      "fields.choice('reason', reasons) ?? 'Local'",
      "fields.choice('reason', reasons) ?? 'Other'",
    ),
  ),
  mutant(
    'a GetConfiguration follows each boot',
    ['TC_001_CSMS', 'TC_013_CSMS'],
    boot(
      "      ...(isReacting && station.protocol === 'ocpp1.6' && { commands: [setHeartbeatInterval(interval, record)] }),\n",
      "      commands: [{ ...setHeartbeatInterval(interval, record), action: 'GetConfiguration', payload: {} }],\n",
    ),
  ),
  mutant('the interval of a boot is 0', ['TC_001_CSMS'], boot('interval: wait, status }', 'interval: 0, status }')),
  mutant(
    'times are sent without a zone',
    ['TC_001_CSMS', 'UC16-HB-1'],
    at('ocpp/src/timestamp.ts')('  return date.toISOString()\n', '  return date.toISOString().slice(0, -1)\n'),
  ),
  mutant(
    'two calls are in flight at once',
    ['RPC16-17'],
    outbound("    while (this.#state.kind === 'idle') {\n", "    while (this.#state.kind !== 'closed') {\n"),
  ),
  mutant(
    'message ids repeat',
    ['RPC16-18'],
    outbound('    const messageId = newId()\n', "    const messageId = '1'\n"),
  ),
  mutant(
    'the journal keeps new passwords readable',
    ['UC16-Sec-7'],
    outbound(
      "redact(connection.protocol, command.action, 'request', payload)\n    connection.journal",
      'open(payload)\n    connection.journal',
    ),
  ),
  mutant(
    'errors are spelled as in 2.0.1',
    ['RPC16-08', 'RPC16-09'],
    at('ocpp/src/errors.ts')("  return (protocol === 'ocpp1.6' && spelling16[code]) || code\n", '  return code\n'),
  ),
  mutant(
    'only the first subprotocol offered is looked at',
    ['TC_088_CSMS'],
    at('gateway/src/upgrade/subprotocol.ts')(
      "split(',').map((each) => each.trim())",
      "split(',').map((each) => each.trim()).slice(0, 1)",
    ),
  ),
  mutant(
    'any password opens the door',
    ['RPC16-02', 'TC_073_CSMS'],
    proof(
      '    if (await vault.verifyPassword(credentials.password, hash, (work) => turns.take(address, work))) return slot\n',
      '    return slot\n',
    ),
  ),
  mutant(
    'the user name does not count',
    ['RPC16-02'],
    proof('  if (!equal(credentials.username, id) && !equal(credentials.username, station.id)) return null\n', ''),
  ),
  mutant(
    'the old password opens the door for good',
    ['TC_073_CSMS'],
    at('services/src/commands/statements.ts')(
      '      return [setCurrent(stationId, change.hash), removePending(stationId, change.hash)]\n',
      `      return [
        sql(\`INSERT INTO station_secret (station_id, slot, hash)
             SELECT station_id, 'former', hash FROM station_secret WHERE station_id = $1 AND slot = 'current'
             ON CONFLICT (station_id, slot) DO UPDATE SET hash = EXCLUDED.hash\`)(stationId),
        setCurrent(stationId, change.hash),
        removePending(stationId, change.hash),
      ]\n`,
    ),
  ),
  mutant(
    'a lower security profile is let in',
    ['TC_083_CSMS', 'RPC16-23'],
    proof("  if (bound > (isSecure ? 2 : 1)) return 'profile'\n", ''),
    at('backbone/src/embedded/ownership.ts')(
      '      if (counts && held.profile > proven.profile) return { boundTo: held }\n',
      '',
    ),
  ),
  mutant(
    "a station comes in with another one's certificate",
    ['RPC16-23'],
    proof("serials.includes(commonName) ? path : 'certificate-serial'", "true ? path : 'certificate-serial'"),
  ),
  mutant(
    'a half-open link is never noticed',
    ['RPC16-22'],
    at('gateway/src/connection/connection.ts')(' > this.#silentAfterMs()) {', ' > Number.POSITIVE_INFINITY) {'),
  ),
  mutant(
    'a vendor whom nobody knows is answered Accepted',
    ['TC_064_CSMS'],
    at('services/src/stations/data-transfer/handlers.ts')(
      "  if (!ofVendor) return { status: 'UnknownVendorId' }\n",
      "  if (!ofVendor) return { status: 'Accepted' }\n",
    ),
  ),
  mutant(
    'GetConfiguration is not split',
    ['UC16-Conf-1'],
    at('services/src/commands/split.ts')("key('GetConfigurationMaxKeys')", "key('NoSuchKey')"),
  ),
  mutant(
    'a reservation counts before the station accepted it',
    ['TC_046_CSMS'],
    reservation(
      "const isHeld = answer === 'accepted' ||",
      "const isHeld = answer === 'requested' || answer === 'accepted' ||",
    ),
  ),
  mutant(
    'a reservation does not expire',
    ['TC_047_CSMS'],
    reservation("    ...(expired ? [ended('expired', expired)] : []),\n", ''),
  ),
  mutant(
    'the hash of a certificate is computed, not repeated',
    ['TC_076_CSMS'],
    at('api/src/operations/certificates.ts')(
      '  return { hashAlgorithm, issuerNameHash, issuerKeyHash, serialNumber } as HashDataRow\n',
      "  return { hashAlgorithm: 'SHA256', issuerNameHash, issuerKeyHash, serialNumber } as HashDataRow\n",
    ),
  ),
  mutant(
    'a limit is not cut to one decimal',
    ['UC16-SC-3'],
    at('ocpp/src/smart-charging/limit.ts')('fraction[0]', 'fraction'),
  ),
  mutant(
    'a profile that was rejected replaces the one before',
    ['UC16-SC-2'],
    settle(
      "const accepted = held.filter(({ settlement }) => settlement.status === 'active')",
      "const accepted = held.filter(({ settlement }) => ['active', 'rejected'].includes(settlement.status))",
    ),
  ),
  mutant(
    'a TxProfile outlives its transaction',
    ['TC_057_CSMS'],
    settle('goneAt: earlier(validTo, transaction?.endedAt ?? never),', 'goneAt: validTo,'),
  ),
  mutant(
    'to clear one profile clears all',
    ['TC_067_CSMS'],
    settle('isClearedBy(each, clear.sent))', 'isClearedBy(each, {}))'),
  ),
  mutant(
    'the version of a local list is not raised',
    ['TC_043_5_CSMS'],
    at('services/src/commands/ids.ts')(
      'setAt(filled, path, counters.next(counter))',
      "setAt(filled, path, counter === 'listVersion' ? 1 : counters.next(counter))",
    ),
  ),
]
