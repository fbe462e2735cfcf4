import { deleteOldFiles } from '@busbar/api'
import type { FileStore } from '@busbar/files'
import { deleteOldRows, ensurePartitions, UnavailableError } from '@busbar/store'
import type { Logger } from 'pino'
import type { Platform } from './platform.js'

type Stoppable = { stop(): Promise<void> }

/** Makes the partitions of the days ahead, drops those past their time, and deletes what else is past it. */
export function startRetention({ database, config: { values }, log }: Platform): Stoppable {
  return startDaily(log, async (isStopping) => {
    await ensurePartitions(database, new Date(), {
      meterReadingDays: values.METER_READING_DAYS ?? null,
      journalDays: values.JOURNAL_DAYS,
    })
    const gone = await deleteOldRows(
      database,
      new Date(),
      {
        meterReadingDays: values.METER_READING_DAYS ?? null,
        journalDays: values.JOURNAL_DAYS,
        securityEventDays: values.SECURITY_EVENT_DAYS,
        historyDays: values.HISTORY_DAYS,
        webhookDeliveryDays: values.WEBHOOK_DELIVERY_DAYS,
      },
      isStopping,
    )
    if (Object.keys(gone).length > 0) log.info({ rows: gone }, 'what was past its retention is gone')
  })
}

/** Only the API has the store of files. */
export function startFileRetention({ database, config: { values }, log }: Platform, files: FileStore): Stoppable {
  return startDaily(log, async (isStopping) => {
    const gone = await deleteOldFiles({ database, files, log }, values.FILES_KEEP_DAYS, isStopping)
    if (gone > 0) log.info({ files: gone }, 'files of stations past their retention are gone')
    const unfinished = await files.deleteUnfinished(new Date(Date.now() - unfinishedForMs))
    if (unfinished > 0) log.info({ files: unfinished }, 'what a killed process had taken in half-way is gone')
  })
}

/** Longer than a request may bring a file. */
const unfinishedForMs = 2 * 60 * 60 * 1_000
const dayMs = 24 * 60 * 60 * 1_000

/** At once, and every day. What fails is told, and done the next day. */
function startDaily(log: Logger, work: (isStopping: () => boolean) => Promise<void>): Stoppable {
  let stopping = false
  const run = () =>
    work(() => stopping).catch((cause: unknown) => {
      const level = cause instanceof UnavailableError ? 'warn' : 'error'
      log[level]({ err: cause }, 'retention: what was not done is done tomorrow')
    })
  let working = run()
  const timer = setInterval(() => {
    working = working.then(run)
  }, dayMs)
  return {
    stop: async () => {
      stopping = true
      clearInterval(timer)
      await working
    },
  }
}
