import { wish } from './wish.js'

/** @param hex of the new password's bytes */
export const changePassword = (hex: string) =>
  wish('ChangeConfiguration', { key: 'AuthorizationKey', value: hex }, 'password', { password: hex })

export const changeSecurityProfile = (profile: number) =>
  wish('ChangeConfiguration', { key: 'SecurityProfile', value: String(profile) }, 'security-profile', { profile })

export const renewCertificate = () =>
  wish('ExtendedTriggerMessage', { requestedMessage: 'SignChargePointCertificate' }, 'certificates/renew', {})

type RootType = 'CentralSystemRoot' | 'ManufacturerRoot'

export const installCertificate = (type: RootType, certificate: string) =>
  wish('InstallCertificate', { certificateType: `${type}Certificate`, certificate }, 'certificates/install', {
    type,
    certificate,
  })

export const readCertificates = (type: RootType) =>
  wish('GetInstalledCertificateIds', { certificateType: `${type}Certificate` }, 'certificates/read', { type })

export interface HashData {
  hashAlgorithm: 'SHA256' | 'SHA384' | 'SHA512'
  issuerNameHash: string
  issuerKeyHash: string
  serialNumber: string
}

/** By the row in Busbar's books, where there is one. */
export const deleteCertificate = (hashData: HashData, certificateId?: string) =>
  wish(
    'DeleteCertificate',
    { certificateHashData: hashData },
    'certificates/delete',
    certificateId === undefined ? { hashData } : { certificateId },
  )
