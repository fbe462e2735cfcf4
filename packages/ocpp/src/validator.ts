/** One error as ajv's generated code reports it. */
export interface SchemaError {
  instancePath: string
  keyword: string
  params: Record<string, unknown>
  message?: string
}

/** A generated validator; `errors` belongs to its latest run and holds the first thing wrong. */
export interface Validator {
  (data: unknown): boolean
  errors?: SchemaError[] | null
}
