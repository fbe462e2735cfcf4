/** A text as it could stand somewhere, by the name of its spelling. */
export type Spellings = ReadonlyMap<string, Buffer>

/**
 * How a secret looks in clear, in hex, in base64 wherever it begins in what was encoded, as UTF-16, as a list of bytes, in an
 * address; one that is hex itself also as the bytes it stands for.
 */
export function spellingsOf(secret: string): Spellings {
  const found = new Map<string, Buffer>()
  const spell = (name: string, bytes: Buffer) => {
    found.set(name, bytes)
    found.set(`${name}, hex`, Buffer.from(bytes.toString('hex')))
    found.set(`${name}, HEX`, Buffer.from(bytes.toString('hex').toUpperCase()))
    found.set(`${name}, bytes`, Buffer.from([...bytes].join(',')))
    for (const shift of [0, 1, 2]) {
      const encoded = Buffer.concat([Buffer.alloc(shift), bytes])
        .toString('base64')
        .replace(/=+$/, '')
      // The first and the last characters depend on what stands beside.
      const core = encoded.slice(shift === 0 ? 0 : shift + 1, (shift + bytes.length) % 3 === 0 ? undefined : -1)
      found.set(`${name}, base64+${shift}`, Buffer.from(core))
      found.set(`${name}, base64url+${shift}`, Buffer.from(core.replaceAll('+', '-').replaceAll('/', '_')))
    }
  }
  spell('plain', Buffer.from(secret))
  spell('utf-16le', Buffer.from(secret, 'utf16le'))
  spell('utf-16be', Buffer.from(secret, 'utf16le').swap16())
  if (/^([0-9a-f]{2}){16,}$/i.test(secret)) spell('decoded', Buffer.from(secret, 'hex'))
  found.set('in an address', Buffer.from(encodeURIComponent(secret)))
  found.set('backwards', Buffer.from([...secret].reverse().join('')))
  return found
}

/** @returns the names of the spellings that the bytes hold */
export function findSpellings(bytes: Buffer, spellings: Spellings): string[] {
  return [...spellings].filter(([, spelling]) => bytes.includes(spelling)).map(([name]) => name)
}
