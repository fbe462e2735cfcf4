import { z } from 'zod'

export const outcomes = ['created', 'updated', 'unchanged', 'refused'] as const
export type Outcome = (typeof outcomes)[number]

export const ImportReport = z
  .object({
    id: z.string().describe('Names the import in the audit log'),
    dryRun: z.boolean().describe('true: everything was tried and taken back'),
    rows: z.int(),
    created: z.int(),
    updated: z.int(),
    unchanged: z.int(),
    refused: z.int(),
    items: z.array(
      z.object({
        row: z.int().describe('As a spreadsheet counts: the header of a CSV is row 1. Of a JSON list the first is 1'),
        key: z.string().nullable().describe('What it is about: a station id, a token (`***` for a KeyCode)'),
        outcome: z.enum(outcomes),
        reason: z.string().nullable().describe('Why it was refused'),
        password: z.string().nullable().describe('Made by Busbar for this row; shown this once'),
      }),
    ),
  })
  .meta({
    id: 'ImportReport',
    examples: [
      {
        ...{ id: '01932f6e-0a1b-7c3d-8e4f-5a6b7c8d9e0f', dryRun: false },
        ...{ rows: 2, created: 1, updated: 0, unchanged: 0, refused: 1 },
        items: [
          { row: 2, key: 'CS-1', outcome: 'created', reason: null, password: null },
          { row: 3, key: 'CS-2', outcome: 'refused', reason: 'There is no group "Depot Nroth".', password: null },
        ],
      },
    ],
  })
export type ImportReport = z.infer<typeof ImportReport>
export type ReportItem = ImportReport['items'][number]
