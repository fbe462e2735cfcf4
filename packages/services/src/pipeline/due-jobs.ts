import type { Job } from '@busbar/backbone'
import type { Ports } from './service.js'

/**
 * Brings due jobs to the service they belong to: as a record of type `due` on its lane, where the owner of the
 * partition does the work in order with the station's frames and removes the row. A job that is found due twice gives
 * two records; the second finds no work.
 */
export async function startDueJobs(ports: Pick<Ports, 'backbone'>): Promise<{ stop(): Promise<void> }> {
  const { jobs, log, topics } = ports.backbone
  return jobs.start(async (due) => {
    await Promise.all(due.map((job) => log.append(toRecord(job, topics.lane(job.service)))))
  })
}

function toRecord(job: Job, topic: string) {
  const { stationId, kind, key } = job
  return {
    topic,
    key: stationId,
    value: JSON.stringify({ kind, key }),
    // kind and key here as well: a due record that becomes a dead letter has its row removed by them.
    headers: { type: 'due', station: stationId, kind, key },
  }
}
