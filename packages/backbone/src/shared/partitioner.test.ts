import { randomBytes } from 'node:crypto'
import { Partitioners } from 'kafkajs'
import { expect, test } from 'vitest'
import { partitionOf } from './partitioner.js'

const partitionMetadata = Array.from({ length: 24 }, (_, partitionId) => ({
  partitionId,
  leader: 1,
  partitionErrorCode: 0,
  replicas: [1],
  isr: [1],
}))
const kafkaPartition = (key: string) =>
  Partitioners.DefaultPartitioner()({ topic: 't', partitionMetadata, message: { key, value: null } })

test('a key has the partition that every Kafka client chooses', () => {
  const keys = ['', 'a', 'ab', 'abc', 'abcd', 'CP 001', 'Ladesäule', '充电', ...Array.from({ length: 2000 }, randomKey)]

  expect(keys.map((key) => partitionOf(key, 24))).toEqual(keys.map(kafkaPartition))
})

function randomKey(_: unknown, index: number): string {
  return randomBytes(1 + (index % 48)).toString('latin1')
}
