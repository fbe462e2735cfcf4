import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../support/processes.js'

/** Starts a file of this folder as a process of its own, with an IPC channel: neither it nor the stations of the test delay the other. */
export function startBeside(file: string): ChildProcess {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), { execArgv: ['--import', 'tsx'] })
  endWithUs(child)
  return child
}

/** @returns what it says next. @throws when it has ended */
export async function ask<Answer>(child: ChildProcess, order: object = {}): Promise<Answer> {
  const waiting = new AbortController()
  const ended = once(child, 'exit', waiting).then(() => {
    throw new Error('the process beside has ended')
  })
  child.send(order)
  try {
    const [answer] = await Promise.race([once(child, 'message', waiting), ended])
    return answer
  } finally {
    waiting.abort()
  }
}
