import { AssignerProtocol, type PartitionAssigner } from 'kafkajs'

/**
 * Gives partition p of all topics to one member, so that whatever concerns a station meets in one batch and has one
 * writer. kafkajs's own assigner deals out the partitions of each topic on their own.
 */
export const copartitioned: PartitionAssigner = ({ cluster }) => ({
  name: 'busbar-copartitioned',
  version: 1,
  async assign({ members, topics }) {
    const ids = members.map((member) => member.memberId).sort()
    return ids.map((memberId, index) => {
      const assignment: Record<string, number[]> = {}
      for (const topic of topics) {
        assignment[topic] = cluster
          .findTopicPartitionMetadata(topic)
          .map(({ partitionId }) => partitionId)
          .filter((partition) => partition % ids.length === index)
      }
      return {
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 1,
          assignment,
          userData: Buffer.alloc(0),
        }),
      }
    })
  },
  protocol({ topics }) {
    return {
      name: 'busbar-copartitioned',
      metadata: AssignerProtocol.MemberMetadata.encode({ version: 1, topics, userData: Buffer.alloc(0) }),
    }
  },
})
