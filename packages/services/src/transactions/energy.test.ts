import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toEnergy } from './energy.js'
import { emptyRegisters, mergeSample, type RegisterReading, type Registers, registerName } from './registers.js'
import { minute, propertyRuns } from './testing.js'

const maxPowerW = 1_000_000
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
  toEnergy(registers(series, ends), maxPowerW)

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

  test('a begin of 0 before a small register, once the power of the EVSE is known', () => {
    const small = registers(
      {
        [outlet]: [
          [10, '51000'],
          [20, '52000'],
        ],
      },
      { start: at(0, '0'), stop: at(60, '55000') },
    )
    // A megawatt could do it, and some EVSE has one: 55 kWh in an hour.
    expect(toEnergy(small, maxPowerW).heldReasons).toEqual([])
    expect(toEnergy(small, 22_000).heldReasons).toEqual(['begin-unconfirmed', 'power-implausible'])
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
    expect(toEnergy(registers({}, { start: at(0, '0'), stop: at(60, '13100') }), 11_000).heldReasons).toEqual([])
    expect(toEnergy(registers({}, { start: at(0, '0'), stop: at(60, '13101') }), 11_000).heldReasons).toContain(
      'power-implausible',
    )
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

describe('a clock that was never set', () => {
  const heard = (minutes: number, wh: string, heardMinutes: number) => ({
    at: new Date(minutes * 60_000).toISOString(),
    wh,
    receivedAt: minute(heardMinutes),
  })
  const reasons = (start: RegisterReading, stop: RegisterReading) =>
    toEnergy(registers({}, { start, stop }), 11_000).heldReasons
  const [sixKWh, fortyKWh] = ['6000', '40000']

  test('and is set on the way: the time in which we heard of it counts, not half a century', () => {
    expect(reasons(heard(0, '0', 0), at(60, fortyKWh))).toContain('power-implausible')
    expect(reasons(heard(0, '0', 0), at(60, sixKWh))).toEqual([])
  })

  test('and begins anew: the time in which we heard of it counts, not that the end lies before the begin', () => {
    expect(reasons(heard(60, '0', 0), heard(5, sixKWh, 60))).toEqual([])
    expect(reasons(heard(60, '0', 0), heard(5, fortyKWh, 60))).toContain('power-implausible')
  })

  test('and was offline: its own time counts, for we heard of all at once', () => {
    expect(reasons(heard(0, '0', 90), heard(60, sixKWh, 90))).toEqual([])
    expect(reasons(heard(0, '0', 90), heard(60, fortyKWh, 90))).toContain('power-implausible')
  })
})

describe('of the power that an EVSE can deliver', () => {
  const sessions = fc.record({
    maxPowerW: fc.integer({ min: 1_000, max: 1_000_000 }),
    startWh: fc.integer({ min: 0, max: 100_000_000 }),
    /** Of that power, minute by minute. */
    shares: fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 60 }),
    sampled: fc.boolean(),
  })
  type Session = { maxPowerW: number; startWh: number; shares: number[]; sampled: boolean }

  function charge({ maxPowerW, startWh, shares, sampled }: Session, readBeginWh = startWh): Registers {
    let wh = startWh
    const readings = shares.map((share, index): [number, string] => {
      wh += (maxPowerW * share) / 100 / 60
      return [index + 1, wh.toFixed(3)]
    })
    const ends = { start: at(0, String(readBeginWh)), stop: at(shares.length, wh.toFixed(3)) }
    return registers(sampled ? { [outlet]: readings } : {}, ends)
  }

  test('no session within it is held for it', () => {
    fc.assert(
      fc.property(sessions, (session) => {
        const { heldReasons } = toEnergy(charge(session), session.maxPowerW)
        expect(heldReasons).not.toContain('power-implausible')
        expect(heldReasons).not.toContain('begin-unconfirmed')
      }),
      { numRuns: propertyRuns },
    )
  })

  test('no session above it is billed, and none at all that the power cannot explain from a begin of 0', () => {
    fc.assert(
      fc.property(sessions, (session) => {
        const { maxPowerW, shares, startWh } = session
        const registers = charge(session, 0)
        const { wh, heldReasons } = toEnergy(registers, maxPowerW)
        const highestWh = (maxPowerW * 1.1 * shares.length) / 60 + 1_001
        expect(heldReasons.length > 0 || Number(wh) <= highestWh).toBe(true)
        if (startWh > highestWh) expect(heldReasons).toContain('power-implausible')
      }),
      { numRuns: propertyRuns },
    )
  })

  test('a lower limit lets nothing go that a higher one holds', () => {
    fc.assert(
      fc.property(sessions, fc.integer({ min: 1, max: 1_000_000 }), (session, otherW) => {
        const [low, high] = [session.maxPowerW, otherW].toSorted((left, right) => left - right)
        const registers = charge(session, 0)
        const held = (limitW = 0) => toEnergy(registers, limitW).heldReasons
        expect(held(low)).toEqual(expect.arrayContaining(held(high)))
      }),
      { numRuns: propertyRuns },
    )
  })
})

test('any order and repetition of samples gives the same registers', () => {
  const names = fc.constantFrom(outlet, inlet, phase('L1'), phase('L2'), interval)
  const sample = fc.record({
    name: names,
    // So few that they meet: the same reading, another at the same time.
    at: fc.integer({ min: 0, max: 9 }),
    wh: fc.integer({ min: 0, max: 5 }),
    /** The first five minutes pass before the clock is set. */
    heard: fc.integer({ min: 100, max: 103 }),
  })
  interface Sample {
    name: string
    at: number
    wh: number
    heard: number
  }
  const merged = (samples: Sample[]) => {
    const all = emptyRegisters()
    for (const { name, at, wh, heard } of samples) {
      const kind = name === interval ? 'interval' : 'register'
      const receivedAt = at < 5 ? { receivedAt: minute(heard) } : {}
      mergeSample(all, { kind, name, reading: { at: minute(at), wh: String(wh / 10), ...receivedAt } })
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
      expect(toEnergy(reordered, maxPowerW)).toEqual(toEnergy(merged(samples), maxPowerW))
    }),
    { numRuns: propertyRuns },
  )
})
