import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toEnergy } from './energy.js'
import { emptyRegisters, mergeSample, type Registers, registerName } from './registers.js'
import { minute, propertyRuns } from './testing.js'

const limits = { maxPowerW: 1_000_000 }
const outlet = registerName('Energy.Active.Import.Register', '', 'Outlet')
const inlet = registerName('Energy.Active.Import.Register', '', 'Inlet')
const phase = (name: string) => registerName('Energy.Active.Import.Register', name, 'Outlet')
const interval = registerName('Energy.Active.Import.Interval', '', 'Outlet')

/** Readings per register: [minute, Wh] */
function registers(series: Record<string, [number, string][]>, ends: Partial<Registers> = {}): Registers {
  const all = { ...emptyRegisters(), ...ends }
  for (const [name, readings] of Object.entries(series)) {
    const kind = name.includes('Interval') ? 'interval' : 'register'
    for (const [at, wh] of readings) mergeSample(all, { kind, name, reading: { at: minute(at), wh } })
  }
  return all
}

const at = (minutes: number, wh: string) => ({ at: minute(minutes), wh })
const energyOf = (series: Record<string, [number, string][]>, ends: Partial<Registers> = {}) =>
  toEnergy(registers(series, ends), limits)

describe('the register', () => {
  test('is the total at the outlet, before phases and inlet', () => {
    const energy = energyOf({
      [inlet]: [
        [0, '0'],
        [60, '9000'],
      ],
      [phase('L1')]: [
        [0, '0'],
        [60, '3000'],
      ],
      [outlet]: [
        [0, '1000'],
        [60, '8000'],
      ],
    })
    expect(energy).toEqual({ wh: 7000n, source: outlet, heldReasons: [] })
  })

  test('is the sum of the phases where there is no total, each family by itself', () => {
    const energy = energyOf({
      [phase('L1')]: [
        [0, '10.25'],
        [60, '20.25'],
      ],
      [phase('L2')]: [
        [0, '10.25'],
        [60, '30.5'],
      ],
      [phase('L3')]: [
        [0, '10.25'],
        [60, '40.25'],
      ],
      [phase('L1-N')]: [
        [0, '10'],
        [60, '999'],
      ],
    })
    expect(energy.wh).toBe(60n)
  })

  test('is the phase N before L1 to L3: some meters use it for the total', () => {
    expect(
      energyOf({
        [phase('N')]: [
          [0, '0'],
          [60, '500'],
        ],
        [phase('L1')]: [
          [0, '0'],
          [60, '100'],
        ],
      }).wh,
    ).toBe(500n)
  })

  test('is the inlet where the outlet has no two readings', () => {
    expect(
      energyOf({
        [inlet]: [
          [0, '10'],
          [60, '900'],
        ],
        [outlet]: [[0, '10']],
      }),
    ).toMatchObject({ wh: 890n, source: inlet })
  })

  test('is the sum of intervals where there is nothing else, and marked as that', () => {
    const energy = energyOf({
      [interval]: [
        [15, '250.4'],
        [30, '250.4'],
        [30, '250.4'],
      ],
    })
    expect(energy).toEqual({ wh: 501n, source: 'interval-sum', heldReasons: [] })
  })

  test('is unknown with fewer than two readings', () => {
    expect(energyOf({ [outlet]: [[0, '1000']] })).toEqual({ wh: null, source: null, heldReasons: [] })
  })
})

test('subtracts first and rounds once, half up', () => {
  expect(
    energyOf({
      [outlet]: [
        [0, '0.4'],
        [60, '1.9'],
      ],
    }).wh,
  ).toBe(2n)
  expect(
    energyOf({
      [outlet]: [
        [0, '0.6'],
        [60, '1.0'],
      ],
    }).wh,
  ).toBe(0n)
  expect(
    energyOf({
      [outlet]: [
        [0, '9007199254740993.1'],
        [60, '9007199254740995.1'],
      ],
    }).wh,
  ).toBe(2n)
})

describe('start and stop of 1.6', () => {
  test('win over a series that counts per session (Grizzl-E)', () => {
    const energy = energyOf(
      {
        [outlet]: [
          [1, '100'],
          [59, '4900'],
        ],
      },
      { start: at(0, '700000'), stop: at(60, '705000') },
    )
    expect(energy).toEqual({ wh: 5000n, source: 'start-stop', heldReasons: [] })
  })

  test('while the stop is missing, the last reading stands in if it is of the same register', () => {
    expect(energyOf({ [outlet]: [[10, '1500']] }, { start: at(0, '1000') }).wh).toBe(500n)
    expect(
      energyOf(
        {
          [outlet]: [
            [10, '100'],
            [20, '400'],
          ],
        },
        { start: at(0, '700000') },
      ).wh,
    ).toBe(300n)
  })

  test('a stop slightly below the last reading is no reason to hold (Wallbox)', () => {
    const energy = energyOf(
      {
        [outlet]: [
          [0, '1000'],
          [59, '6010'],
        ],
      },
      { start: at(0, '1000'), stop: at(60, '6000') },
    )
    expect(energy).toMatchObject({ wh: 5000n, heldReasons: [] })
  })

  test('meterStop -1 is no reading: held, with what the readings tell', () => {
    const energy = energyOf(
      {
        [outlet]: [
          [1, '1000'],
          [59, '6000'],
        ],
      },
      { start: at(0, '1000'), stop: at(60, '-1') },
    )
    expect(energy).toMatchObject({ wh: 5000n, heldReasons: ['meter-missing'] })
  })
})

describe('held', () => {
  test('a register that fell', () => {
    expect(energyOf({}, { start: at(0, '6000'), stop: at(60, '1000') })).toMatchObject({
      wh: -5000n,
      heldReasons: ['negative-energy'],
    })
  })

  test('a meter that was reset and rose again', () => {
    const energy = energyOf({
      [outlet]: [
        [0, '1000'],
        [30, '50000'],
        [31, '0'],
        [60, '3000'],
      ],
    })
    expect(energy.heldReasons).toEqual(['register-decreased'])
  })

  test('not a dropout to 0 in between (ABB)', () => {
    const energy = energyOf({
      [outlet]: [
        [0, '1000'],
        [30, '0'],
        [60, '3000'],
      ],
    })
    expect(energy).toMatchObject({ wh: 2000n, heldReasons: [] })
  })

  test('a begin of 0 the next reading cannot have grown from (Iocharger)', () => {
    expect(
      energyOf({
        [outlet]: [
          [0, '0'],
          [1, '800000'],
          [60, '810000'],
        ],
      }).heldReasons,
    ).toContain('begin-unconfirmed')
    const meter = { start: at(0, '0'), stop: at(6000, '810000') }
    expect(energyOf({ [outlet]: [[1, '800000']] }, meter).heldReasons).toContain('begin-unconfirmed')
  })

  test('not a meter that truly counts from 0', () => {
    expect(
      energyOf({
        [outlet]: [
          [0, '0'],
          [1, '150'],
          [60, '9000'],
        ],
      }),
    ).toMatchObject({ wh: 9000n, heldReasons: [] })
    expect(energyOf({}, { start: at(0, '0'), stop: at(60, '9000') })).toMatchObject({ wh: 9000n, heldReasons: [] })
  })

  test('more than an EVSE can deliver: power x time x 1.1 + 1 kWh', () => {
    expect(
      toEnergy(registers({}, { start: at(0, '0'), stop: at(60, '13100') }), { maxPowerW: 11_000 }).heldReasons,
    ).toEqual([])
    expect(
      toEnergy(registers({}, { start: at(0, '0'), stop: at(60, '13101') }), { maxPowerW: 11_000 }).heldReasons,
    ).toContain('power-implausible')
  })

  test('the start in kWh, all that follows in Wh', () => {
    const readings: [number, string][] = [
      [10, '10100'],
      [50, '14000'],
    ]
    const from = (startWh: string) => energyOf({ [outlet]: readings }, { start: at(0, startWh), stop: at(60, '15000') })
    expect(from('10').heldReasons).toEqual(['unit-mixed'])
    // A new meter may well stand at 11 Wh, and reach 10 kWh before its first reading; a thousandfold it is not.
    expect(from('11').heldReasons).toEqual([])
    expect(from('0').heldReasons).toEqual([])
  })

  test('start and stop in kWh, told by readings in Wh', () => {
    const energy = energyOf(
      {
        [outlet]: [
          [1, '800000'],
          [59, '808000'],
        ],
      },
      { start: at(0, '800'), stop: at(60, '808') },
    )
    expect(energy.heldReasons).toEqual(['registers-disagree'])
  })

  test('registers no session can hold, and without a number Postgres could not', () => {
    const energy = energyOf({}, { start: at(0, '1'), stop: at(60, `1${'0'.repeat(40)}`) })
    expect(energy).toMatchObject({ wh: null, heldReasons: ['energy-out-of-range', 'power-implausible'] })
  })
})

test('any order and repetition of samples gives the same registers', () => {
  const names = fc.constantFrom(outlet, inlet, phase('L1'), phase('L2'), interval)
  const sample = fc.record({ name: names, at: fc.integer({ min: 0, max: 20 }), wh: fc.integer({ min: 0, max: 9999 }) })
  const merged = (samples: { name: string; at: number; wh: number }[]) => {
    const all = emptyRegisters()
    for (const { name, at, wh } of samples) {
      const kind = name === interval ? 'interval' : 'register'
      mergeSample(all, { kind, name, reading: { at: minute(at), wh: String(wh / 10) } })
    }
    return all
  }
  const histories = fc.array(sample, { maxLength: 30 }).chain((samples) =>
    fc.record({
      samples: fc.constant(samples),
      again: fc.shuffledSubarray([...samples, ...samples], { minLength: samples.length }),
    }),
  )
  fc.assert(
    fc.property(histories, ({ samples, again }) => {
      // All of them in another order, and some of them once more.
      const reordered = merged([...again, ...[...samples].reverse()])
      expect(reordered).toEqual(merged(samples))
      expect(toEnergy(reordered, limits)).toEqual(toEnergy(merged(samples), limits))
    }),
    { numRuns: propertyRuns },
  )
})
