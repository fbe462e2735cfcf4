import { setTimeout as sleep } from 'node:timers/promises'
import type { Broker, Cluster, Consumer, ConsumerGroupJoinEvent, Kafka } from 'kafkajs'
import type { Logger } from 'pino'
import { copartitioned } from './assigner.js'

export interface GroupMemberOptions {
  kafka: Kafka
  groupId: string
  topics: string[]
  /** Starts the consumer, anew after each crash. */
  run: (consumer: Consumer) => Promise<void>
  /**
   * Runs inside kafkajs's join, before it fetches anything.
   * @param isSameMember it has missed no generation of the group: nobody else has held what it keeps
   */
  onJoin: (assignment: ConsumerGroupJoinEvent['payload']['memberAssignment'], isSameMember: boolean) => void
  log: Logger
}

/** What kafkajs's type of a broker leaves out. */
type Coordinator = Broker & { leaveGroup(member: { groupId: string; memberId: string }): Promise<void> }

/** Few: after the last one the consumer starts again, with new connections. */
export const readerRetry = { retries: 2, initialRetryTime: 100, maxRetryTime: 1000 }

const sessionTimeoutMs = 6000
/** How long the broker holds a fetch that finds nothing; what ends its rest meanwhile is part of the next one. */
const idleWaitMs = 200
/** In which a member learns that another has left; what it asks for costs about as much as a fetch that finds nothing. */
export const heartbeatMs = idleWaitMs
const maxBackoffMs = 5000

/** Before the next try of what has failed so often in a row. */
export const backoffMs = (failures: number): number => Math.min(maxBackoffMs, 250 * 2 ** Math.min(failures - 1, 10))

/**
 * kafkajs's consumer as a member of its group, which comes back after every crash and lets nobody wait for who it was. Where
 * the answer that ends a join is lost, kafkajs would read on what it was given before, as a member in good standing, and
 * nobody what it was given now: it joins again.
 */
export class GroupMember {
  readonly consumer: Consumer
  readonly #options: GroupMemberOptions
  readonly #stopping = new AbortController()
  #id = ''
  /** Since a join began, until it is through. */
  #isJoining = false
  #cluster: Cluster | null = null

  constructor(options: GroupMemberOptions) {
    this.#options = options
    this.consumer = options.kafka.consumer({
      groupId: options.groupId,
      partitionAssigners: [
        (ours) => {
          this.#cluster = ours.cluster
          const assigner = copartitioned(ours)
          return {
            ...assigner,
            protocol: (joining) => {
              this.#isJoining = true
              return assigner.protocol(joining)
            },
          }
        },
      ],
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      // Others wait this long for a member that is busy with a batch.
      rebalanceTimeout: 10_000,
      maxWaitTimeInMs: idleWaitMs,
      minBytes: 1,
      maxBytesPerPartition: 1024 * 1024,
      maxBytes: 4 * 1024 * 1024,
      allowAutoTopicCreation: false,
      retry: {
        ...readerRetry,
        restartOnFailure: async () => {
          await this.#leaveAsBefore()
          return !this.#stopping.signal.aborted
        },
      },
    })
    this.consumer.on(this.consumer.events.GROUP_JOIN, ({ payload: { memberId, memberAssignment } }) => {
      const isSameMember = memberId === this.#id
      this.#id = memberId
      this.#isJoining = false
      options.onJoin(memberAssignment, isSameMember)
    })
    this.consumer.on(this.consumer.events.HEARTBEAT, () => {
      // kafkajs throws what its listeners throw, and joins once more at this.
      if (this.#isJoining) throw Object.assign(new Error('A join was not completed'), { type: 'REBALANCE_IN_PROGRESS' })
    })
    this.consumer.on(this.consumer.events.CRASH, ({ payload }) => {
      // kafkajs comes back by itself only after errors it calls retriable.
      if (!payload.restart) void this.#restart(payload.error)
    })
  }

  async start(): Promise<void> {
    const { topics, run } = this.#options
    await this.consumer.connect()
    await this.consumer.subscribe({ topics, fromBeginning: true })
    await run(this.consumer)
  }

  /** Leaves the group, so that others need not wait for the session to time out. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.consumer.disconnect()
  }

  async #restart(cause: Error): Promise<void> {
    const { log, run } = this.#options
    const { signal } = this.#stopping
    log.error({ err: cause }, 'the consumer crashed; starting it again')
    for (let failures = 0; !signal.aborted; failures++) {
      await sleep(backoffMs(failures), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await this.consumer.connect()
        await this.#leaveAsBefore()
        return await run(this.consumer)
      } catch (error) {
        log.warn({ err: error }, 'the consumer does not start')
      }
    }
  }

  /**
   * After a crash kafkajs joins as a new member, and the group waits for the one of before as long as a session lasts, from
   * the moment when its next coordinator takes over: its goodbye went to one that may be gone. So that next one is told, as
   * soon as there is one: nobody can join sooner.
   */
  async #leaveAsBefore(): Promise<void> {
    while (this.#id !== '' && !this.#stopping.signal.aborted) {
      try {
        await this.#leave(this.#id)
      } catch (cause) {
        if ((cause as { type?: string }).type !== 'UNKNOWN_MEMBER_ID') {
          await sleep(100)
          continue
        }
      }
      this.#id = ''
    }
  }

  async #leave(memberId: string): Promise<void> {
    const { groupId } = this.#options
    await this.#cluster?.connect()
    const coordinator = (await this.#cluster?.findGroupCoordinator({ groupId })) as Coordinator | undefined
    await coordinator?.leaveGroup({ groupId, memberId })
  }
}
