import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ChannelListener, type ChannelMessage, stationChannel } from '../index.js'
import { type Harness, sides, until } from './sides.js'

describe.each(sides)('the station channels, $name', (side) => {
  let harness: Harness
  beforeAll(async () => {
    harness = await side.open({ partitions: 1 })
  }, 40_000)
  afterAll(() => harness.close(), 40_000)

  const takeover = (epoch: number): ChannelMessage => ({ kind: 'takeover', epoch, connectionId: 'c1' })
  const publish = (channel: string, ...messages: ChannelMessage[]) =>
    harness.backbone.channels.publish(messages.map((message) => ({ channel, message })))

  async function listen(channel: string) {
    const heard: ChannelMessage[] = []
    const { channels } = harness.backbone
    const listener: ChannelListener = { receive: (message) => heard.push(message) }
    await channels.subscribe(channel, listener)
    const unsubscribe = () => channels.unsubscribe(channel, listener)
    return { heard, unsubscribe }
  }

  test('messages arrive in order, unchanged, as soon as the subscription is there', async () => {
    const { heard } = await listen(stationChannel('CP 1'))
    const message: ChannelMessage = {
      kind: 'answer',
      connectionId: 'c1',
      sequence: 7,
      answer: { result: { ä: '"\n' } },
    }

    expect(await publish(stationChannel('CP 1'), message, takeover(1), takeover(2))).toEqual([1, 1, 1])
    await until(() => heard.length === 3)

    expect(heard).toEqual([message, takeover(1), takeover(2)])
  })

  test('a channel without listeners has no receivers', async () => {
    expect(await publish(stationChannel('nobody'), takeover(1))).toEqual([0])
  })

  test('a listener that left hears nothing more, the others do', async () => {
    const first = await listen(stationChannel('CP2'))
    const second = await listen(stationChannel('CP2'))
    await first.unsubscribe()
    await publish(stationChannel('CP2'), takeover(1))
    await until(() => second.heard.length === 1)

    expect(first.heard).toEqual([])
    await second.unsubscribe()
    expect(await publish(stationChannel('CP2'), takeover(2))).toEqual([0])
  })

  test('one who leaves and comes at once is subscribed', async () => {
    const first = await listen(stationChannel('CP3'))
    const [second] = await Promise.all([listen(stationChannel('CP3')), first.unsubscribe()])

    expect(await publish(stationChannel('CP3'), takeover(1))).toEqual([1])
    await until(() => second.heard.length === 1)
  })

  test('many subscriptions at once are there together', async () => {
    const channels = Array.from({ length: 3000 }, (_, i) => stationChannel(`many-${i}`))
    const listeners = await Promise.all(channels.map(listen))

    const receivers = await harness.backbone.channels.publish(
      channels.map((channel) => ({ channel, message: takeover(1) })),
    )
    expect(receivers.every((count) => count === 1)).toBe(true)
    await until(() => listeners.every(({ heard }) => heard.length === 1))
    await Promise.all(listeners.map(({ unsubscribe }) => unsubscribe()))
  })

  test('after `heard`, everything published before has arrived', async () => {
    const { heard } = await listen(stationChannel('CP5'))
    for (let epoch = 1; epoch <= 500; epoch += 1) {
      await publish(stationChannel('CP5'), takeover(epoch))
      await harness.backbone.channels.heard()
      expect(heard).toHaveLength(epoch)
    }
  })

  test('listeners share no object', async () => {
    const first = await listen(stationChannel('CP4'))
    const second = await listen(stationChannel('CP4'))
    const message = takeover(1)
    await publish(stationChannel('CP4'), message)
    await until(() => second.heard.length === 1 && first.heard.length === 1)

    expect(first.heard[0]).not.toBe(second.heard[0])
    expect(first.heard[0]).not.toBe(message)
  })
})
