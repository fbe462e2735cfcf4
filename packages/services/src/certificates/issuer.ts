/** Who signs station certificates: our own authority, or one elsewhere. */
export interface CertificateIssuer {
  /** False where no request could be signed, now and later: stations are told so at once. */
  isReady(): Promise<boolean>
  /**
   * @returns the chain, leaf first; PEM
   * @throws PkiError when the request is refused for good; anything else means: later again
   */
  issue(request: IssueRequest): Promise<string>
}

export interface IssueRequest {
  /** PKCS #10, PEM; its key is proven, its subject may be anything. */
  csr: string
  /** CN of the certificate: the number on the station's type plate, or its id where none is registered. */
  commonName: string
}
