import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type FileStore, openLocalFileStore } from '@busbar/files'
import { startTestApi } from '../testing.js'

export const maxUploadBytes = 1_000_000

export type FilesApi = Awaited<ReturnType<typeof startFilesApi>>

/** An API that listens, with a store of its own and one station of 1.6, CS-16. */
export async function startFilesApi() {
  const folder = mkdtempSync(path.join(tmpdir(), 'busbar-files-'))
  let storedBytes = 0
  const api = await startTestApi({
    config: { maxUploadBytes, maxFirmwareBytes: 3_000_000 },
    ports: { files: watched(openLocalFileStore({ folder }), (bytes) => (storedBytes += bytes)) },
  })
  const base = await api.app.listen({ host: '127.0.0.1', port: 0 })
  await api.request('operator', { method: 'POST', url: '/v1/stations', payload: { id: 'CS-16' } })
  await api.database.prisma.stationState.create({ data: { stationId: 'CS-16', protocol: 'ocpp1.6' } })

  const post = (path: string, payload: object, headers: Record<string, string> = {}) =>
    api.request('operator', { method: 'POST', url: `/v1/stations/CS-16/${path}`, payload, headers })

  async function payloadOf(commandId: string): Promise<Record<string, unknown>> {
    const { payload } = await api.database.prisma.command.findUniqueOrThrow({ where: { id: commandId } })
    return payload as Record<string, unknown>
  }

  /** A fresh address, as a station would be told it. */
  async function askForDiagnostics() {
    const { id } = (await post('diagnostics', {})).json()
    const address = String((await payloadOf(id)).location)
    const file = () => api.database.prisma.stationFile.findFirstOrThrow({ where: { commandId: id } })
    const read = async () => {
      const response = await api.request('operator', { url: `/v1/files/${(await file()).id}/content` })
      return { ...response.headers, bytes: response.rawPayload }
    }
    return { address, commandId: String(id), file, read }
  }

  return {
    ...api,
    base,
    folder,
    post,
    payloadOf,
    askForDiagnostics,
    /** Bytes that found their way to the store, whatever became of them. */
    storedBytes: () => storedBytes,
    async stop() {
      await api.stop()
      await rm(folder, { recursive: true })
    },
  }
}

function watched(store: FileStore, onBytes: (count: number) => void): FileStore {
  async function* watch(content: AsyncIterable<Uint8Array>) {
    for await (const piece of content) {
      onBytes(piece.byteLength)
      yield piece
    }
  }
  return { ...store, put: (key, content, limit) => store.put(key, watch(content), limit) }
}
