export { FileNotFoundError, type FileStore, FileTooLargeError, type StoredFile } from './file-store.js'
export { openLocalFileStore } from './local.js'
export { openS3FileStore, type S3Config } from './s3.js'
