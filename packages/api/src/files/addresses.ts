import type { Vault } from '@busbar/store'

/**
 * Addresses of files that stations are given: whoever knows one may use it, so that each carries a signature made with a key
 * of the vault. Behind the id, where `redactUrl` of `ocpp` masks it in all that is kept.
 */
export class FileAddresses {
  readonly #vault: Pick<Vault, 'sign' | 'isSigned'>
  readonly #baseUrl: () => string

  /** @param baseUrl where stations reach this API, without a slash at its end */
  constructor(vault: Pick<Vault, 'sign' | 'isSigned'>, baseUrl: () => string) {
    this.#vault = vault
    this.#baseUrl = baseUrl
  }

  /** Good for one file; how long is written down with the file. */
  toUpload(id: string): string {
    return `${this.#baseUrl()}/files/uploads/${id}/${this.#vault.sign(uploadText(id))}`
  }

  isUpload(id: string, permit: string): boolean {
    return this.#vault.isSigned(uploadText(id), permit)
  }

  /** @param fileName some stations go by its ending */
  toFirmware(id: string, fileName: string, until: Date): string {
    const seconds = Math.ceil(until.getTime() / 1000)
    const signature = this.#vault.sign(firmwareText(id, fileName, seconds))
    return `${this.#baseUrl()}/files/firmware/${id}/${seconds}.${signature}/${fileName}`
  }

  isFirmware(id: string, permit: string, fileName: string, now: Date): boolean {
    const [seconds = '', signature = ''] = permit.split('.')
    const isSigned = this.#vault.isSigned(firmwareText(id, fileName, seconds), signature)
    return isSigned && now.getTime() < Number(seconds) * 1000
  }
}

const uploadText = (id: string) => `upload\n${id}`
const firmwareText = (id: string, fileName: string, seconds: number | string) =>
  `firmware\n${id}\n${fileName}\n${seconds}`
