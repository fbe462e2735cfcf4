/** One or more members of a sampledValue. */
type Word = Readonly<Record<string, unknown>>

/** What most samples are made of, with the units that stations send for it. */
const usual: readonly (readonly [measurand: string, unit: string])[] = [
  ['Energy.Active.Import.Register', 'Wh'],
  ['Energy.Active.Import.Register', 'kWh'],
  ['Energy.Active.Import.Interval', 'Wh'],
  ['Energy.Active.Import.Interval', 'kWh'],
  ['Energy.Active.Export.Register', 'Wh'],
  ['Energy.Active.Export.Register', 'kWh'],
  ['Power.Active.Import', 'W'],
  ['Power.Active.Import', 'kW'],
  ['Power.Active.Export', 'W'],
  ['Power.Active.Export', 'kW'],
  ['Power.Offered', 'W'],
  ['Power.Offered', 'kW'],
  ['Power.Reactive.Import', 'var'],
  ['Current.Import', 'A'],
  ['Current.Export', 'A'],
  ['Current.Offered', 'A'],
  ['Voltage', 'V'],
  ['SoC', 'Percent'],
  ['Temperature', 'Celsius'],
  ['Temperature', 'Celcius'],
  ['Frequency', 'Hz'],
]

const members: Record<string, readonly unknown[]> = {
  context: [
    'Sample.Periodic',
    'Sample.Clock',
    'Transaction.Begin',
    'Transaction.End',
    'Interruption.Begin',
    'Interruption.End',
    'Trigger',
    'Other',
  ],
  measurand: [
    'Energy.Active.Import.Register',
    'Energy.Active.Import.Interval',
    'Energy.Active.Export.Register',
    'Energy.Active.Export.Interval',
    'Energy.Active.Net',
    'Energy.Reactive.Import.Register',
    'Energy.Reactive.Import.Interval',
    'Energy.Reactive.Export.Register',
    'Energy.Reactive.Export.Interval',
    'Energy.Reactive.Net',
    'Energy.Apparent.Import',
    'Energy.Apparent.Export',
    'Energy.Apparent.Net',
    'Power.Active.Import',
    'Power.Active.Export',
    'Power.Offered',
    'Power.Reactive.Import',
    'Power.Reactive.Export',
    'Power.Factor',
    'Current.Import',
    'Current.Export',
    'Current.Offered',
    'Voltage',
    'SoC',
    'Temperature',
    'Frequency',
    'RPM',
  ],
  phase: ['L1', 'L2', 'L3', 'N', 'L1-N', 'L2-N', 'L3-N', 'L1-L2', 'L2-L3', 'L3-L1'],
  location: ['Outlet', 'Inlet', 'Body', 'Cable', 'EV', 'Upstream'],
  format: ['Raw'],
}

const units = [
  'Wh',
  'kWh',
  'varh',
  'kvarh',
  'VAh',
  'kVAh',
  'W',
  'kW',
  'VA',
  'kVA',
  'var',
  'kvar',
  'A',
  'mA',
  'V',
  'mV',
  'Hz',
  'Percent',
  'Celsius',
  'Celcius',
  'K',
  'Fahrenheit',
  'RPM',
]

export const usualContext = 'Sample.Periodic'

/**
 * The words of 1.6 and 2.0.1 that a stored reading is made of. Their places are their codes and stand in databases: a
 * new word goes to the end, none moves or goes.
 */
export const words: readonly Word[] = [
  ...usual.map(([measurand, unit]) => ({ context: usualContext, measurand, unit })),
  ...usual.map(([measurand, unit]) => ({ context: usualContext, measurand, unitOfMeasure: { unit } })),
  ...Object.entries(members).flatMap(([name, values]) => values.map((value) => ({ [name]: value }))),
  ...units.map((unit) => ({ unit })),
  ...units.map((unit) => ({ unitOfMeasure: { unit } })),
  ...units.map((unit) => ({ unitOfMeasure: { unit, multiplier: 0 } })),
]
