import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import WebSocket from 'ws'

/** How a process is started whose inspector is asked for later: each takes a port of its own then. */
export const inspectable = ['--inspect-port=127.0.0.1:0']

/** What V8 tells of a process (Chrome DevTools Protocol). */
export class Inspector {
  readonly #socket: WebSocket
  #asked = 0

  private constructor(socket: WebSocket) {
    this.#socket = socket
  }

  /** Once a process, whose stderr is a pipe. */
  static async open(child: ChildProcess): Promise<Inspector> {
    const { stderr } = child
    if (!stderr) throw new Error('nobody hears where the inspector listens')
    const url = new Promise<string>((resolve) => {
      createInterface(stderr).on('line', (line) => {
        const [, found] = /^Debugger listening on (ws:\S+)/.exec(line) ?? []
        if (found) resolve(found)
      })
    })
    child.kill('SIGUSR1')
    const socket = new WebSocket(await url)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return new Inspector(socket)
  }

  async collectGarbage(): Promise<void> {
    await this.#ask('HeapProfiler.collectGarbage')
  }

  /** What is held, in bytes: all garbage is collected before. */
  async heldBytes(): Promise<number> {
    await this.collectGarbage()
    const { usedSize } = await this.#ask<{ usedSize: number }>('Runtime.getHeapUsage')
    return usedSize
  }

  close(): void {
    this.#socket.close()
  }

  #ask<Result>(method: string): Promise<Result> {
    const id = ++this.#asked
    return new Promise((resolve) => {
      const answered = (data: WebSocket.RawData) => {
        const answer = JSON.parse(String(data)) as { id?: number; result: Result }
        if (answer.id !== id) return
        this.#socket.off('message', answered)
        resolve(answer.result)
      }
      this.#socket.on('message', answered)
      this.#socket.send(JSON.stringify({ id, method }))
    })
  }
}
