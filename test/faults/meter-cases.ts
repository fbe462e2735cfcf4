/** What became of the energy: on the bill, kept from it until somebody looked, or waiting for more of the session. */
export type Ending = 'billed' | 'held' | 'unfinished'

export interface MeterReading {
  minute: number
  /** As the station writes it. */
  value: string | number
  /** 'Wh' unless said. */
  unit?: string
  /** Without it the reading names the transaction. */
  transactionId?: number | null
  connector?: number
}

/** One way in which real meters and firmware go wrong; sources as in the issue trackers of other systems. */
export interface MeterCase {
  name: string
  source: string
  start: number
  readings: MeterReading[]
  /** null: it never comes. */
  stop: number | null
  /** Instead of the transaction's id. */
  stopId?: number
  /** What the operator said that the EVSE delivers at most. */
  maxPowerW?: number
  /** What the car really took, Wh. */
  trueWh: number
  ending: Ending
}

const every = (
  minutes: number,
  values: readonly (string | number)[],
  rest: Partial<MeterReading> = {},
): MeterReading[] => values.map((value, index) => ({ minute: (index + 1) * minutes, value, ...rest }))

/** Sessions of an hour. */
export const meterCases: readonly MeterCase[] = [
  {
    name: 'the register falls to 0 in a reboot',
    source: 'Java-OCA-OCPP#331',
    start: 50_000,
    readings: every(10, ['51000', '52000', '0', '800']),
    stop: 800,
    trueWh: 2_800,
    ending: 'held',
  },
  {
    name: 'the register counts every session from 0',
    source: 'core#1060',
    start: 0,
    readings: every(10, ['1200', '2400', '3600', '4800']),
    stop: 6_000,
    trueWh: 6_000,
    ending: 'billed',
  },
  {
    name: 'a start of 0 stands for "not known" while offline',
    source: 'core#1060, Iocharger',
    start: 0,
    readings: every(10, ['701000', '702000', '703000']),
    stop: 705_000,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'a start of 0 stands for "not known", and the register is still small',
    source: 'core#1060, Iocharger',
    start: 0,
    readings: every(10, ['51000', '52000', '53000']),
    stop: 55_000,
    maxPowerW: 22_000,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'the same without readings in between',
    source: 'core#1060, Iocharger',
    start: 0,
    readings: [],
    stop: 55_000,
    maxPowerW: 22_000,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'a start of 0 is true at a charger of that power',
    source: 'core#1060',
    start: 0,
    readings: every(10, ['24000', '48000', '66000', '80000']),
    stop: 92_000,
    maxPowerW: 150_000,
    trueWh: 92_000,
    ending: 'billed',
  },
  {
    name: 'the lifetime register would be billed',
    source: 'evcc#29374, Alfen',
    start: 0,
    readings: [],
    stop: 8_000_000,
    trueWh: 4_000,
    ending: 'held',
  },
  {
    name: 'readings count from 0 for each session, start and stop for ever',
    source: 'lbb#2093, Grizzl-E',
    start: 500_000,
    readings: every(10, ['0', '1000', '3000', '4900']),
    stop: 505_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'a dropout to 0 in between',
    source: 'lbb#374, ABB',
    start: 10_000,
    readings: every(10, ['11000', '0', '12000', '0']),
    stop: 13_000,
    trueWh: 3_000,
    ending: 'billed',
  },
  {
    name: 'the stop lies a little below the last reading',
    source: 'lbb#1069, Wallbox',
    start: 10_000,
    readings: every(10, ['12000', '15010']),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'a stop of -1 stands for "no reading"',
    source: 'ocpp-go PR 114',
    start: 10_000,
    readings: every(15, ['12000', '14000', '15000']),
    stop: -1,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'a start of -1 stands for "no reading"',
    source: 'ocpp-go PR 114',
    start: -1,
    readings: every(15, ['12000', '14000']),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'readings in kWh are labelled Wh',
    source: 'OpenEVSE#703',
    start: 10_000,
    readings: every(10, ['11.2', '12.5', '14']),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'the start in kWh, all that follows in Wh',
    source: 'OpenEVSE#703',
    start: 10,
    readings: every(10, ['10100', '12000', '14000']),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'the stop in kWh, all before in Wh',
    source: 'OpenEVSE#703',
    start: 10_000,
    readings: every(10, ['11000', '12000', '14000']),
    stop: 15,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'readings in kWh and labelled so',
    source: 'OCPP 1.6 §7.45',
    start: 10_000,
    readings: every(10, ['11.2', '12.5', '14'], { unit: 'kWh' }),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'values as JSON numbers',
    source: 'lbb#210, mh#353, MicroOcpp#51',
    start: 10_000,
    readings: every(10, [11_000, 12_500]),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'empty values, and values padded with blanks',
    source: 'evcc#17836',
    start: 10_000,
    readings: every(10, ['', ' 12500 ', '']),
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'readings after the stop',
    source: 'lbb PR 2075, Ocular',
    start: 10_000,
    readings: [...every(20, ['11000', '13000']), { minute: 75, value: '15000' }],
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'readings without a transaction, and the sum of the station on connector 0',
    source: 'OCPP.Core, KEBA',
    start: 10_000,
    readings: [
      ...every(10, ['11000', '13000'], { transactionId: null }),
      ...every(11, ['910000', '930000'], { transactionId: null, connector: 0 }),
    ],
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'an offline start whose readings and stop say -1',
    source: 'libocpp#495, MicroOcpp#50',
    start: 10_000,
    readings: every(20, ['11000', '13000'], { transactionId: -1 }),
    stop: 15_000,
    stopId: -1,
    trueWh: 5_000,
    ending: 'billed',
  },
  {
    name: 'no stop at all',
    source: 'steve#1264, Fronius; steve#292, KEBA',
    start: 10_000,
    readings: every(10, ['11000', '13000', '15000']),
    stop: null,
    trueWh: 5_000,
    ending: 'unfinished',
  },
  {
    name: 'a register that jumps beyond what any EVSE delivers',
    source: 'lbb#374, ABB',
    start: 10_000,
    readings: every(10, ['11000', '12000']),
    stop: 4_294_967_295,
    trueWh: 5_000,
    ending: 'held',
  },
  {
    name: 'readings tell of more than start and stop do',
    source: 'evs, meter replaced',
    start: 10_000,
    readings: every(10, ['12000', '30000', '42000']),
    stop: 15_000,
    trueWh: 32_000,
    ending: 'held',
  },
  {
    name: 'the same readings again after every reconnect',
    source: 'SAP ev-dashboard#1686, Webasto',
    start: 10_000,
    readings: [...every(20, ['11000', '13000']), ...every(20, ['11000', '13000'])],
    stop: 15_000,
    trueWh: 5_000,
    ending: 'billed',
  },
]
