// Wrong input, one case for each rule: who may join, and the CA of the certificates for that.
import { aws, gcp, local, type WrongInput } from './marked.ts'
import { cases } from './wrong-keys.cases.ts'

const token = '{module: m.so, token: t, label: l, pin_file: p}'
const joined = local('join: required')

export const wrongJoin: WrongInput[] = [
  ...cases('CONFIG_UNKNOWN_KEY', [
    ['a misspelt key of join', aws('join: {proof: required, ➤prof: x}'), 'Did you mean "proof"?'],
    ['a misspelt key of agents_ca', `agents_ca: {➤lifetme: 24h}\n${joined}`, 'Did you mean "lifetime"?'],
    ['agents_ca in a provider', local('join: required\n➤agents_ca: {lifetime: 24h}'), 'top level'],
    ['proof beside join', local('➤proof: required'), 'join'],
  ]),
  ...cases('CONFIG_WRONG_TYPE', [
    ['join as a boolean', aws('join: ➤true'), '`join: required`'],
    ['another word for join', aws('join: ➤requierd'), '`join: required`'],
    ['one proof without its list', aws('join: {proof: required, proofs: ➤aws-sts}'), '- kind'],
    ['a lifetime without its block', `agents_ca: ➤24h\n${joined}`, 'lifetime'],
  ]),
  ...cases('CONFIG_BAD_CHOICE', [
    ['another proof', aws('join: {proof: ➤always}'), '"required" or "off"'],
    [
      'a misspelt kind of proof',
      aws('join: {proof: required, proofs: [➤aws-st]}'),
      'Did you mean "aws-sts"?',
    ],
    [
      'a proof of another cloud',
      gcp('join: {proof: required, proofs: [➤local-secret]}'),
      '"gcp-identity-token"',
    ],
  ]),
  ...cases('CONFIG_DUPLICATE', [
    ['a proof twice', aws('join: {proof: required, proofs: [aws-sts, ➤aws-sts]}'), 'Keep one'],
  ]),
  ...cases('CONFIG_BAD_VALUE', [
    ['an address without https', aws('join: {proof: required, url: ➤"http://m:8444"}'), 'Write only https'],
    ['an address with a path', aws('join: {proof: required, url: ➤"https://m:8444/v1"}'), 'Write only https'],
    [
      'an address with a password',
      aws('join: {proof: required, url: ➤"https://a:b@m:8444"}'),
      'Write only https',
    ],
    [
      'an address with a port beyond all ports',
      aws('join: {proof: required, url: ➤"https://m:99999"}'),
      'from 1 to 65535',
    ],
    ['no proof in the list', aws('join: {proof: required, proofs: ➤[]}'), 'or remove it'],
  ]),
  ...cases('CONFIG_UNUSED', [
    ['an address without proof', aws('join: {➤url: "https://m:8444"}'), '`proof: required`'],
    ['a CA without join', `➤agents_ca: {lifetime: 24h}\n${local('slots: 1')}`, 'Remove'],
  ]),
  ...cases('JOIN_NEEDS_TLS', [
    ['join without verification', aws('join: required\ntls: {trust: ➤skip_verify}'), 'Remove tls.trust'],
    ['join without TLS', aws('tls: {trust: ➤off}\njoin: {proof: required}'), 'Remove tls.trust'],
  ]),
  ...cases('CONFIG_BAD_DURATION', [
    ['a lifetime of nothing', `agents_ca: {lifetime: ➤0s}\n${joined}`, '1h30m'],
  ]),
  ...cases('CONFIG_OUT_OF_RANGE', [
    ['a lifetime of minutes', `agents_ca: {lifetime: ➤10m}\n${joined}`, 'at least "1h"'],
  ]),
  ...cases('CONFIG_NEEDS_KEY', [
    ['a key without its certificate', `agents_ca: {➤key_file: k}\n${joined}`, 'Add the key'],
    ['a certificate without its key', `agents_ca: {➤certificate_file: c}\n${joined}`, 'Add the key'],
    ['a token without a certificate', `agents_ca: {➤pkcs11: ${token}}\n${joined}`, 'Add the key'],
  ]),
  ...cases('CONFIG_CONFLICT', [
    [
      'a key in a file and in a token',
      `agents_ca: {certificate_file: c, key_file: k, ➤pkcs11: ${token}}\n${joined}`,
      'Remove one',
    ],
  ]),
  ...cases('CLIENT_CA_EMPTY', [
    [
      'client certificates of no CA',
      `security: {tls: {cert: c}}\ndemand: {type: push}\nresource_manager: {➤require_authentication: true}\n${aws('region: us-west-2')}`,
      'client_ca',
    ],
  ]),
]
