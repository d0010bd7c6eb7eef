// The SHA-256 of a certificate as people compare it and as scripts give it.

/** `ab:cd:…`: as Determined's command line shows it, and openssl in capitals. `hex` is lower case without separators. */
export function pairs(hex: string): string {
  return hex.replace(/..(?=.)/g, '$&:')
}

/** `sha256:abcd…`, with or without the word and the colons, in any case. undefined when it is no SHA-256. */
export function parseFingerprint(text: string): string | undefined {
  const hex = text
    .trim()
    .replace(/^sha-?256[:= ]/i, '')
    .replaceAll(':', '')
    .toLowerCase()
  return /^[0-9a-f]{64}$/.test(hex) ? hex : undefined
}
