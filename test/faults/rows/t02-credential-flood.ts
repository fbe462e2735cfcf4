import { setTimeout as sleep } from 'node:timers/promises'
import type { Rig } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'
import { addressOf, tryUpgrade } from '../upgrade.js'

/** What design.md gives an address and an id; the throttle's window is a minute. */
const failuresPerMinute = 30
const attackers = 20

/** Guesses passwords of these stations from a few addresses, so many a second, without waiting for the answers. */
async function guess(rig: Rig, ids: string[], perSecond: number, seconds: number) {
  const [tried, statuses] = [new Map<string, number>(), new Map<number, number>()]
  const troubles: string[] = []
  const startedAt = performance.now()
  const answers: Promise<void>[] = []
  for (let elapsed = 0; elapsed < seconds * 1_000; elapsed = performance.now() - startedAt) {
    for (const due = (elapsed / 1_000) * perSecond; answers.length < due; ) {
      const [id = '', address] = [ids[answers.length % ids.length], addressOf(rig.random.integer(1, attackers))]
      const { port } = rig.system.gateways[answers.length % rig.system.gateways.length] ?? { port: 0 }
      const answer = tryUpgrade(port, id, `guess-${answers.length}`, address).then(
        ({ status }) => {
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
          const key = `${port} ${address} ${id}`
          if (status === 401) tried.set(key, (tried.get(key) ?? 0) + 1)
        },
        (cause: unknown) => void troubles.push(String(cause)),
      )
      answers.push(answer)
    }
    await sleep(5)
  }
  await Promise.all(answers)
  return { sent: answers.length, tried, statuses, troubles }
}

export const credentialFlood = row({
  id: 'T2',
  fault: 'passwords are guessed, 1,000 a second, while stations connect',
  sizes: {
    small: { perSecond: 300, seconds: 4, stations: 10 },
    full: { perSecond: 1_000, seconds: 60, stations: 100 },
  },
  async run(rig, { perSecond, seconds, stations }) {
    const ids = await rig.registerStations('GUESSED', stations)
    const guessing = guess(rig, ids.slice(0, Math.ceil(stations / 2)), perSecond, seconds)
    const times: number[] = []
    const troubles: string[] = []
    for (const [index, id] of ids.entries()) {
      await sleep((seconds * 1_000) / stations / 2)
      const startedAt = performance.now()
      // Half of them are those whose passwords are guessed: nobody may lock a station out.
      const socket = await rig
        .connect(id, index)
        .catch((cause: unknown) => void troubles.push(`${id}: ${String(cause)}`))
      times.push(performance.now() - startedAt)
      socket?.close()
    }
    const { sent, tried, statuses, troubles: unanswered } = await guessing
    const minutes = Math.ceil(seconds / 60)
    const most = Math.max(0, ...tried.values())
    return {
      injected: `${sent} guesses in ${seconds} s from ${attackers} addresses, ${stations} stations connecting`,
      figures: [
        none('stations kept out', troubles),
        none('guesses without an answer', unanswered),
        exactly('guesses let in', statuses.get(101) ?? 0, 0),
        none(
          `more than ${failuresPerMinute} verifications a minute per gateway, address and id`,
          most > failuresPerMinute * minutes ? [`${most} in ${minutes} minutes`] : [],
        ),
        atMost('slowest station, connect and boot', Math.max(...times), 2_000, 'ms'),
        shown('answers', [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')),
      ],
    }
  },
})
