/**
 * Takes the station's id out of the request target: its last segment, whatever stands before it. An absolute URL is
 * accepted, some stations send one.
 * @returns null unless the id, percent-decoded once, is 1 to 48 printable ASCII characters without : / \ and %, and is
 *   not a relative path
 * @see OCPP 2.0.1 part 4 §3.1.1
 */
export function parseStationPath(target: string): string | null {
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] ?? ''
  const slash = path.lastIndexOf('/')
  if (slash < 0) return null
  const id = decodeOnce(path.slice(slash + 1))
  return id !== null && stationId.test(id) && !/^\.\.?$/.test(id) ? id : null
}

const stationId = /^[ !-$&-.0-9;-[\]-~]{1,48}$/

function decodeOnce(segment: string): string | null {
  try {
    return decodeURIComponent(segment)
  } catch {
    return null
  }
}
