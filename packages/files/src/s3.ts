import { Readable } from 'node:stream'
import { checkKey, FileNotFoundError, type FileStore } from './file-store.js'
import { Measured } from './measured.js'

export interface S3Config {
  bucket: string
  region: string
  /** Of an S3-compatible server; without it, Amazon's. */
  endpoint?: string | undefined
  /** Without them the client looks where it always does: environment, files, the machine's role. */
  credentials?: { accessKeyId: string; secretAccessKey: string } | undefined
}

/** Files as objects of one bucket, which has to exist. */
export async function openS3FileStore({ bucket, region, endpoint, credentials }: S3Config): Promise<FileStore> {
  // Loaded here: whoever keeps files in a folder starts without them.
  const { DeleteObjectCommand, GetObjectCommand, NoSuchKey, S3Client } = await import('@aws-sdk/client-s3')
  const { Upload } = await import('@aws-sdk/lib-storage')
  const client = new S3Client({
    region,
    // Servers other than Amazon's often know neither bucket host names nor checksums in trailers.
    ...(endpoint && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })
  return {
    async put(key, content, { maxBytes }) {
      const measured = new Measured(content, maxBytes)
      const Body = Readable.from(measured, { objectMode: false })
      // In parts of 5 MiB: the length is not known before the end, and a broken upload leaves nothing.
      const upload = new Upload({ client, params: { Bucket: bucket, Key: checkKey(key), Body }, queueSize: 2 })
      try {
        await upload.done()
      } finally {
        Body.destroy()
      }
      return measured.result()
    },

    async read(key, range) {
      const Range = range && `bytes=${range.first}-${range.last}`
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: checkKey(key), Range }))
        return Body as Readable
      } catch (cause) {
        throw cause instanceof NoSuchKey ? new FileNotFoundError(`There is no object ${key}`, { cause }) : cause
      }
    },

    async delete(key) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: checkKey(key) }))
    },

    // Others may use the bucket too: its own rule ends what was broken off (AbortIncompleteMultipartUpload).
    async deleteUnfinished() {
      return 0
    },

    close() {
      client.destroy()
    },
  }
}
