/** Of a distinguished name, what OCPP asks about; null where it has none. */
export interface Subject {
  commonName: string | null
  organization: string | null
  /** The whole name, for people. */
  text: string
}

/**
 * @param text as Node writes a name: a line per part, `CN=...`; a backslash before what would be read otherwise
 */
export function readSubject(text: string | undefined): Subject {
  const lines = (text ?? '').split('\n')
  const find = (name: string) =>
    lines
      .find((line) => line.startsWith(`${name}=`))
      ?.slice(name.length + 1)
      .replace(/\\(.)/g, '$1') ?? null
  return { commonName: find('CN'), organization: find('O'), text: lines.join(', ') }
}
