import { randomBytes } from 'node:crypto'
import { OcppError } from '@busbar/ocpp'
import { StationSocket } from '@busbar/simulator'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { untilDrained } from '../support/log-ends.js'
import { type Place, placesOf, readTables, readTopics, watchRedis } from '../support/places.js'
import { findSpellings, type Spellings, spellingsOf } from '../support/spellings.js'
import { allServices, hasServices, type System, startDistributed, startEmbedded, until } from '../support/system.js'

/** What the stations are sent, by what it is. Nothing of it may be anywhere but at the stations. */
const secrets = {
  'password at registration': hex(),
  'password set anew': hex(),
  'AuthorizationKey, accepted': hex(),
  'AuthorizationKey, refused': hex(),
  'AuthorizationKey, echoed in an error': hex(),
  'AuthorizationKey, never answered': hex(),
  'AuthorizationKey, the station is away': hex(),
  'password in the words of an operator': hex(),
  "vendor's password": hex(),
  'credentials of diagnostics': hex(),
  'credentials of a log': hex(),
  'credentials of firmware': hex(),
  'credentials of signed firmware': hex(),
  'signature in an address': hex(),
  BasicAuthPassword: hex(),
  'BasicAuthPassword, echoed': hex(),
  'APN password': hex(10),
  'VPN password': hex(10),
  'VPN key': hex(),
  'KeyCode of a remote start': hex(9),
  'KeyCode of a reservation': hex(9),
  'KeyCode of a local list': hex(9),
  'KeyCode of customer information': hex(9),
}
type Secret = keyof typeof secrets

/** How what is sealed begins. */
const sealedMark = 'sealed:v1:'

/** No secret: it shows that the search finds what is there. */
const open = `marker-${hex()}`

function hex(bytes = 20): string {
  return randomBytes(bytes).toString('hex')
}

const setUps: [string, boolean, boolean, () => Promise<System>][] = [
  ['embedded', true, false, () => startEmbedded({ BUSBAR_LOG_LEVEL: 'trace' })],
  [
    'two gateways, two workers, Kafka',
    hasServices(),
    true,
    () => startDistributed({ gateways: 2, workers: [allServices, allServices] }, { BUSBAR_LOG_LEVEL: 'trace' }),
  ],
]

describe.each(setUps.filter(([, isThere]) => isThere))('%s', (_name, _isThere, hasRedis, start) => {
  let system: System
  let redis: Awaited<ReturnType<typeof watchRedis>> | null = null
  const received: string[] = []

  beforeAll(async () => {
    if (hasRedis) redis = await watchRedis()
    system = await start()
  })
  afterAll(async () => {
    redis?.stop()
    await system?.stop()
  })

  async function connect(id: string, protocol: 'ocpp1.6' | 'ocpp2.0.1', password: string): Promise<StationSocket> {
    const station = await StationSocket.open({ url: system.urls[0] ?? '', id, password, protocols: [protocol] })
    await station.call(
      'BootNotification',
      protocol === 'ocpp1.6'
        ? { chargePointVendor: 'Test', chargePointModel: 'Socket' }
        : { reason: 'PowerUp', chargingStation: { vendorName: 'Test', model: 'Socket' } },
    )
    return station
  }

  const collect = (station: StationSocket) => {
    for (const { direction, text } of station.frames) if (direction === 'in') received.push(text)
  }
  const send = (id: string, action: string, payload: object, wait = 10) =>
    system.api.request<{ status: string }>('POST', `/stations/${id}/commands?wait=${wait}`, { action, payload })
  const ask = (id: string, what: string, body: object) =>
    system.api.request('POST', `/stations/${id}/${what}?wait=10`, body)

  test('secrets reach their stations', async () => {
    await talk16()
    await talk201()
    await untilDrained(system)

    const unseen = Object.entries(secrets).filter(([, secret]) => !received.some((text) => text.includes(secret)))
    expect(unseen.map(([name]) => name).toSorted()).toEqual(
      [
        // These two the station brings, and this one it never gets.
        'password at registration',
        'password set anew',
        'AuthorizationKey, the station is away',
      ].toSorted(),
    )
    expect(received.join()).toContain(open)
  })

  async function talk16(): Promise<void> {
    const id = 'SECRETS-16'
    const change = (value: Secret, key = 'AuthorizationKey', wait = 10) =>
      send(id, 'ChangeConfiguration', { key, value: secrets[value] }, wait)
    await system.api.registerStation(id, secrets['password at registration'])
    await system.api.expect('PUT', `/stations/${id}/secret`, { password: secrets['password set anew'] })
    const station = await connect(id, 'ocpp1.6', secrets['password set anew'])
    station.on('ChangeConfiguration', async ({ value }) => {
      if (value === secrets['AuthorizationKey, never answered']) return new Promise(() => {})
      if (value === secrets['AuthorizationKey, echoed in an error']) {
        throw new OcppError('InternalError', `cannot store "${String(value)}"`)
      }
      return { status: value === secrets['AuthorizationKey, refused'] ? 'Rejected' : 'Accepted' }
    })
    station.on('GetConfiguration', () => ({
      configurationKey: [
        { key: 'AuthorizationKey', readonly: false, value: secrets['AuthorizationKey, accepted'] },
        { key: 'VendorPassword', readonly: false, value: secrets["vendor's password"] },
      ],
    }))
    station.on('DataTransfer', () => ({ status: 'Accepted' }))
    for (const action of ['UpdateFirmware', 'GetDiagnostics']) station.on(action, () => ({}))
    for (const action of ['GetLog', 'SignedUpdateFirmware']) station.on(action, () => ({ status: 'Accepted' }))

    await change('AuthorizationKey, refused')
    await change('AuthorizationKey, echoed in an error')
    await change('AuthorizationKey, accepted')
    await change("vendor's password", 'VendorPassword')
    await send(id, 'GetConfiguration', {})
    await ask(id, 'configuration/read', {})
    await ask(id, 'password', { password: secrets['password in the words of an operator'] })
    const ftp = (secret: Secret) => `ftp://busbar:${secrets[secret]}@files.example/x`
    const retrieveDate = new Date().toISOString()
    await ask(id, 'diagnostics', { location: ftp('credentials of diagnostics') })
    await ask(id, 'log', { type: 'security', location: ftp('credentials of a log') })
    await ask(id, 'firmware/update', { location: ftp('credentials of firmware') })
    await send(id, 'GetDiagnostics', {
      location: `https://files.example/x?signature=${secrets['signature in an address']}`,
    })
    const location = ftp('credentials of signed firmware')
    const firmware = { location, retrieveDateTime: retrieveDate, signingCertificate: 'x', signature: 'x' }
    await send(id, 'SignedUpdateFirmware', { requestId: 1, firmware })
    await send(id, 'DataTransfer', { vendorId: 'Test', data: open })
    await change('AuthorizationKey, never answered', 'AuthorizationKey', 0)
    await until('it was asked', () =>
      station.frames.some(({ text }) => text.includes(secrets['AuthorizationKey, never answered'])),
    )
    collect(station)
    station.close()
    await station.closed
    await until('offline', async () => {
      const { connection } = await system.api.get<{ connection: { online: boolean } }>(`/stations/${id}`)
      return !connection.online
    })
    await change('AuthorizationKey, the station is away')
  }

  async function talk201(): Promise<void> {
    const id = 'SECRETS-201'
    await system.api.registerStation(id, secrets['password at registration'])
    const station = await connect(id, 'ocpp2.0.1', secrets['password at registration'])
    const [component, variable] = [{ name: 'SecurityCtrlr' }, { name: 'BasicAuthPassword' }]
    station.on('SetVariables', ({ setVariableData }) => ({
      setVariableResult: (setVariableData as { attributeValue: string }[]).map(({ attributeValue }) => ({
        attributeStatus: attributeValue === secrets.BasicAuthPassword ? 'Accepted' : 'Rejected',
        component,
        variable,
        attributeStatusInfo: { reasonCode: 'Invalid', additionalInfo: `not storable: ${attributeValue}` },
      })),
    }))
    station.on('GetVariables', () => ({
      getVariableResult: [
        { attributeStatus: 'Accepted', attributeValue: secrets.BasicAuthPassword, component, variable },
      ],
    }))
    for (const action of [
      'RequestStartTransaction',
      'ReserveNow',
      'SendLocalList',
      'CustomerInformation',
      'SetNetworkProfile',
    ]) {
      station.on(action, () => ({ status: 'Accepted' }))
    }
    const set = (attributeValue: string) =>
      send(id, 'SetVariables', { setVariableData: [{ attributeValue, component, variable }] })
    await set(secrets['BasicAuthPassword, echoed'])
    await set(secrets.BasicAuthPassword)
    await send(id, 'GetVariables', { getVariableData: [{ component, variable }] })
    const [apnPassword, password, key] = [secrets['APN password'], secrets['VPN password'], secrets['VPN key']]
    const profile = await send(id, 'SetNetworkProfile', {
      configurationSlot: 1,
      connectionData: {
        ocppVersion: 'OCPP20',
        ocppTransport: 'JSON',
        ocppCsmsUrl: 'wss://csms.example/ocpp',
        messageTimeout: 30,
        securityProfile: 2,
        ocppInterface: 'Wireless0',
        apn: { apn: 'fleet', apnUserName: 'busbar', apnPassword, apnAuthentication: 'AUTO' },
        vpn: { server: 'vpn.example', user: 'busbar', password, key, type: 'IPSec' },
      },
    })
    expect(profile.status).toBe(200)
    const keyCode = (secret: Secret) => ({ idToken: secrets[secret], type: 'KeyCode' })
    await send(id, 'RequestStartTransaction', { remoteStartId: 1, idToken: keyCode('KeyCode of a remote start') })
    await send(id, 'ReserveNow', {
      id: 1,
      expiryDateTime: new Date(Date.now() + 600_000).toISOString(),
      idToken: keyCode('KeyCode of a reservation'),
    })
    await send(id, 'SendLocalList', {
      versionNumber: 1,
      updateType: 'Full',
      localAuthorizationList: [{ idToken: keyCode('KeyCode of a local list'), idTokenInfo: { status: 'Accepted' } }],
    })
    await send(id, 'CustomerInformation', {
      requestId: 1,
      report: false,
      clear: true,
      idToken: keyCode('KeyCode of customer information'),
    })
    collect(station)
    station.close()
  }

  test('no secret that a station was sent lies in Postgres, on the log, in Redis or in what the processes wrote', async () => {
    const needles = new Map<string, Spellings>(Object.entries(secrets).map(([name, text]) => [name, spellingsOf(text)]))
    const marker = spellingsOf(open)
    const leaks = new Set<string>()
    const places = new Set<string>()
    let sealed = false
    const look = ({ where, bytes }: Place) => {
      for (const [name, spellings] of needles) {
        for (const spelling of findSpellings(bytes, spellings)) leaks.add(`${where}: ${name}, ${spelling}`)
      }
      if (findSpellings(bytes, marker).length > 0) places.add(where.split(/[ :]/)[0] ?? '')
      sealed ||= where.includes('Redis') && bytes.includes(sealedMark)
    }
    const texts = [...needles.values(), marker].flatMap((spellings) => [...spellings.values()])
    const search = async (all: Parameters<typeof placesOf>[0]) => {
      for await (const place of placesOf(all, [...texts, Buffer.from(sealedMark)])) look(place)
    }
    await search(readTables(system))
    await search(readTopics(system))
    look({ where: 'log of the processes', bytes: Buffer.from(await system.logs()) })
    if (redis) {
      await search(redis.touched())
      await search(redis.sent)
      expect(sealed).toBe(true)
    }

    expect([...leaks].toSorted()).toEqual([])
    // Where everything goes through, the open text of a DataTransfer is found.
    expect([...places].toSorted()).toEqual(redis ? ['sent', 'table', 'topic'] : ['table', 'topic'])
  }, 300_000)
})
