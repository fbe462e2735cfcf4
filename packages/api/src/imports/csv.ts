import { parse } from 'csv-parse'
import { ProblemError } from '../problems.js'

/** What stands in a column: an empty cell is not given, `list` is parted by `|`. What cannot be read stays a text. */
export type Cell = 'text' | 'integer' | 'boolean' | 'list' | 'json'
export type Cells = Readonly<Record<string, Cell>>

/** One record of a file: what it holds, or what is wrong with it. */
export interface FileRow {
  /** As a spreadsheet counts: the header of a CSV is row 1. Of a JSON list the first element is 1. */
  row: number
  value: unknown
  fault: string | null
}

/**
 * Reads a CSV (RFC 4180) in UTF-8 with a header; the semicolons of some spreadsheets do as well as commas.
 * @throws ProblemError 400 where it is no such file: it cannot be told then what belongs to which row
 */
export async function readCsv(bytes: Buffer, cells: Cells): Promise<FileRow[]> {
  const text = decode(bytes)
  const firstLine = /^[^\r\n]*/.exec(text)?.[0] ?? ''
  const delimiter = firstLine.includes(';') && !firstLine.includes(',') ? ';' : ','
  const parser = parse(text, { delimiter, relax_column_count: true })
  const rows: FileRow[] = []
  let names: string[] | null = null
  let row = 0
  try {
    for await (const record of parser as AsyncIterable<string[]>) {
      row += 1
      if (record.every((cell) => cell.trim() === '')) continue
      if (names === null) names = readHeader(record, cells)
      else rows.push({ row, ...toValue(record, names, cells) })
    }
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause
    throw new ProblemError(400, `This is no CSV: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  }
  if (names === null) throw new ProblemError(400, 'The file is empty; its first row names the columns.')
  return rows
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new ProblemError(400, 'The file is not in UTF-8.', { cause })
  }
}

function readHeader(record: readonly string[], cells: Cells): string[] {
  const names = record.map((cell) => cell.trim())
  const faults = names.flatMap((name, index) => {
    if (!Object.hasOwn(cells, name)) return [{ detail: `There is no column "${name}".` }]
    return names.indexOf(name) === index ? [] : [{ detail: `The column ${name} is named twice.` }]
  })
  if (faults.length > 0) {
    throw new ProblemError(400, `The columns are ${Object.keys(cells).join(', ')}.`, { faults })
  }
  return names
}

function toValue(record: readonly string[], names: readonly string[], cells: Cells): Omit<FileRow, 'row'> {
  if (record.length !== names.length) {
    return { value: {}, fault: `It has ${record.length} cells, the header names ${names.length} columns.` }
  }
  const given = names.flatMap((name, index) => {
    const cell = record[index] ?? ''
    return cell === '' ? [] : [[name, readCell(cell, cells[name] ?? 'text')]]
  })
  return { value: Object.fromEntries(given), fault: null }
}

function readCell(text: string, cell: Cell): unknown {
  switch (cell) {
    case 'text':
      return text
    case 'integer':
      return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text
    case 'boolean':
      return { true: true, false: false }[text.trim().toLowerCase()] ?? text
    case 'list':
      return text.split('|').map((each) => each.trim())
    case 'json':
      return parseJson(text)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
