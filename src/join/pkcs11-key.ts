// The key of the agents' CA in a PKCS #11 token (an HSM): it signs there, and never leaves it.
import { createHash, type KeyObject, verify } from 'node:crypto'
import type { CaKey } from '../pki/index.ts'
import { limit } from '../platform/index.ts'
import { type TokenKey, type TokenTool, tokenTool, unusable } from './pkcs11-tool.ts'

/** Programs at once. With more, SoftHSM does not find its token at times, and tokens count sessions. */
const atOnce = 1
/** Of r and s on P-256. */
const signatureLength = 64

/**
 * `publicKey`: of the certificate. Throws AGENTS_CA_TOKEN unless it is an ECDSA key on P-256. Asks the token only for signatures;
 * each is verified, so that a key which is not that of the certificate issues nothing.
 */
export function tokenKeyOf(key: TokenKey, publicKey: KeyObject, tool: TokenTool = tokenTool(key)): CaKey {
  const { token, label } = key
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw unusable('the key of the certificate is not an ECDSA key on P-256', {
      remedy: 'Make the key in the token with `--key-type EC:prime256v1`, and its certificate anew.',
    })
  let id: string | undefined

  async function signature(bytes: Uint8Array): Promise<Buffer> {
    // pkcs11-tool signs with the first key there is, whatever label it is given: only the id chooses.
    id ??= idIn((await tool.run(['--list-objects', '--type', 'privkey'])).toString('utf8'), key)
    const digest = createHash('sha256').update(bytes).digest()
    const made = await tool.run(['--sign', '--mechanism', 'ECDSA', '--id', id], digest)
    if (made.length !== signatureLength)
      throw unusable(`pkcs11-tool has printed ${made.length} bytes in place of a signature`)
    if (verify('sha256', bytes, { key: publicKey, dsaEncoding: 'ieee-p1363' }, made)) return made
    throw unusable(`key ${JSON.stringify(label)} in token ${token} is not that of the first certificate`, {
      remedy: 'Write the label of its key as agents_ca.pkcs11.label, or put its certificate first.',
    })
  }

  return {
    publicKey,
    inTurn: limit(atOnce),
    async sign(bytes) {
      try {
        return await signature(bytes)
      } catch (error) {
        // Another key may have its id now.
        id = undefined
        throw error
      }
    },
  }
}

/** Hex. */
function idIn(listed: string, { token, label, module }: TokenKey): string {
  const list = `\`pkcs11-tool --module ${module} --token-label ${token} --login --list-objects\``
  const remedy = `${list} shows its keys; write the label of one as agents_ca.pkcs11.label.`
  const named = listed
    .split(/^(?=\S)/m)
    .filter((one) => one.startsWith('Private Key Object') && valueIn(one, 'label') === label)
  if (named.length === 0)
    throw unusable(`there is no private key ${JSON.stringify(label)} in token ${token}`, { remedy })
  if (named.length > 1)
    throw unusable(`there are ${named.length} private keys ${JSON.stringify(label)} in token ${token}`, {
      remedy: `Give the key of the CA a label of its own: ${list} shows them.`,
    })
  const id = valueIn(named[0]!, 'ID') ?? ''
  if (/^(?:[0-9a-f]{2})+$/i.test(id)) return id
  throw unusable(`private key ${JSON.stringify(label)} in token ${token} has no id`, {
    remedy: 'Give it one: `pkcs11-tool --set-id`.',
  })
}

function valueIn(object: string, name: string): string | undefined {
  return new RegExp(`^ +${name}: +(.*?)\\s*$`, 'm').exec(object)?.[1]
}
