import type { Socket } from 'node:net'
import { until } from '../../support/system.js'
import { password } from '../rig.js'
import { atMost, exactly, none, row, shown } from '../row.js'
import { openRaw, toFrame } from '../upgrade.js'

const queueCap = 100
const mebibyte = 1024 * 1024
/** The answer repeats it, so the longest that is let in fills the buffers soonest. */
const longId = 'x'.repeat(240)
/** Far above all buffers on the way, the kernel's included. */
const enoughCalls = 200_000

/** Calls and calls and never reads an answer. @returns how many calls it took until the gateway had enough; null: it never had */
async function talkWithoutListening(socket: Socket): Promise<number | null> {
  socket.pause()
  const gone = new Promise((resolve) => socket.once('close', resolve))
  for (let count = 0; count < enoughCalls; count += 1) {
    if (socket.destroyed) return count
    if (!socket.write(toFrame(`[2,"${longId}${count}","Heartbeat",{}]`)))
      await Promise.race([gone, new Promise((resolve) => socket.once('drain', resolve))])
  }
  socket.destroy()
  return null
}

export const slowStations = row({
  id: 'F26',
  fault: 'stations that do not read: commands pile up, answers pile up',
  sizes: { small: { stations: 3 }, full: { stations: 20 } },
  async run(rig, { stations }) {
    const [deaf = '', warmUp = '', ...ids] = await rig.registerStations('SLOW', stations + 2)
    const socket = await rig.connect(deaf)
    socket.pause()
    const commands = queueCap + 20
    const sent = Array.from({ length: commands }, () => rig.command(deaf, 'ClearCache', {}))
    await Promise.all(sent)
    const refused = await until('the commands beyond the cap are refused', async () => {
      const [found] = await rig.query<{ count: number }>(
        `SELECT count(*)::int FROM command WHERE station_id = $1 AND status = 'undeliverable'`,
        [deaf],
      )
      return found && found.count >= commands - queueCap - 1 && found.count
    })
    socket.terminate()

    const raw = async (id: string) => {
      const booted = await rig.connect(id)
      booted.close()
      await booted.closed
      return openRaw(rig.system.gateways[0]?.port ?? 0, id, password)
    }
    await talkWithoutListening(await raw(warmUp))
    const sockets = await Promise.all(ids.map(raw))
    const before = await rig.memory()
    const talking = Promise.all(sockets.map(talkWithoutListening))
    const peak = await rig.peakMemory(talking)
    const cutAfter = await talking
    return {
      injected: `${commands} commands to one, ${sockets.length} that talk until they are cut`,
      figures: [
        exactly('commands refused beyond one in flight and 100 waiting', refused, commands - queueCap - 1),
        none('stations not cut', cutAfter.filter((calls) => calls === null).map(String)),
        atMost('memory per station', Math.max(0, peak - before) / sockets.length / mebibyte, 5, 'MiB'),
        shown('calls until cut, at most', Math.max(...cutAfter.map((calls) => calls ?? 0))),
        shown('gateways before', before / mebibyte, 'MiB'),
      ],
    }
  },
})
