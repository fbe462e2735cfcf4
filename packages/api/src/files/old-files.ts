import { earliestId, sql, UnavailableError } from '@busbar/store'
import type { ApiPorts } from '../ports.js'
import type { Piece } from './uploads.js'

interface OldFile {
  id: string
  pieces: Piece[]
}

const nil = '00000000-0000-0000-0000-000000000000'
const atOnce = 100
const dayMs = 86_400_000

// A request that came before the end of its address may go on for an hour behind it.
const selectOld = sql(`
  SELECT id, pieces FROM station_file
  WHERE id > $1::uuid AND id < $2::uuid AND created_at < $3
    AND (completed_at IS NOT NULL OR expires_at < now() - interval '2 hours')
  ORDER BY id LIMIT $4`)

const deleteRow = sql('DELETE FROM station_file WHERE id = $1::uuid RETURNING id')

/**
 * Deletes what stations sent more than so many days ago, first the bytes, then the row that tells of them: what breaks off in
 * between is done again. Never a file that may still grow. The transfer stays, as a record of it.
 * @param isStopping asked between files
 * @returns how many went; one that the store will not give up is told and tried again the next time
 * @throws UnavailableError without the database
 */
export async function deleteOldFiles(
  { database, files, log }: Pick<ApiPorts, 'database' | 'files' | 'log'>,
  days: number,
  isStopping: () => boolean = () => false,
): Promise<number> {
  const before = new Date(Date.now() - days * dayMs)
  let gone = 0
  for (let last: string | undefined = nil; last !== undefined; ) {
    const old: OldFile[] = await database.query(selectOld(last, earliestId(before), before.toISOString(), atOnce))
    for (const { id, pieces } of old) {
      if (isStopping()) return gone
      try {
        await Promise.all(pieces.map(({ key }) => files.delete(key)))
        gone += (await database.query(deleteRow(id))).length
      } catch (cause) {
        if (cause instanceof UnavailableError) throw cause
        log.warn({ err: cause, fileId: id }, 'a file past its retention stays')
      }
    }
    last = old.at(-1)?.id
  }
  return gone
}
