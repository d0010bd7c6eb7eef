import { describe, expect, it } from 'vitest'
import { builtInProviders } from '../../../src/providers/index.ts'
import { parseConfig } from '../../support/config.ts'
import { aws, local } from './marked.ts'

const joinOf = (lines: string) => {
  const { config, problems } = parseConfig(aws(lines), '/etc/det/master.yaml')
  return { join: config?.resource_pools[0]?.provider?.join, codes: problems.map(({ code }) => code) }
}

describe('join', () => {
  it('is off by default', () => {
    expect(joinOf('max_instances: 1')).toEqual({ join: { proof: 'off' }, codes: [] })
    for (const written of ['join: off', 'join: {}', 'join:'])
      expect(joinOf(written)).toEqual({ join: { proof: 'off' }, codes: [] })
  })

  it('has a short form', () => {
    for (const written of ['join: required', 'join: "required"', 'join: {proof: required}'])
      expect(joinOf(written)).toEqual({ join: { proof: 'required' }, codes: [] })
  })

  it('has an address without a slash at the end, and absolute paths', () => {
    const url = 'https://[fd00::5]:8444'
    const more = 'proofs: [aws-identity-document, aws-sts], identity_certificates: aws.pem'
    expect(joinOf(`join: {proof: required, url: "${url}/", ${more}}`)).toEqual({
      join: {
        proof: 'required',
        url,
        proofs: ['aws-identity-document', 'aws-sts'],
        identity_certificates: '/etc/det/aws.pem',
      },
      codes: [],
    })
  })

  it('is refused for a type whose instances cannot prove what they are', () => {
    const providers = builtInProviders.map((one) => ({ ...one, proofKinds: [] }))
    for (const written of ['join: required', 'join: {proof: required, proofs: [x]}']) {
      const { problems } = parseConfig(local(written), 'master.yaml', { providers })
      expect(problems.map(({ code, where }) => [code, where?.line, where?.path])).toEqual([
        ['JOIN_UNSUPPORTED', 5, 'resource_pools.0.provider.join'],
      ])
    }
    expect(parseConfig(local('join: off'), 'master.yaml', { providers }).problems).toEqual([])
  })

  it('is also read in the old form', () => {
    const text = 'provisioner: {provider: local, join: {proof: required, proofs: [aws-sts]}}'
    const { problems } = parseConfig(text, 'master.yaml')
    expect(problems.map(({ code, where }) => [code, where?.column])).toEqual([['CONFIG_BAD_CHOICE', 65]])
  })
})

describe('agents_ca', () => {
  const caOf = (text: string) =>
    parseConfig(`agents_ca: ${text}\n${local('join: required')}`, '/etc/det/master.yaml')

  it('has certificates of a week by default', () => {
    const { config } = parseConfig(local('join: required'), 'master.yaml')
    expect(config!.agents_ca).toEqual({ lifetime: 604_800_000 })
  })

  it('takes files', () => {
    expect(caOf('{lifetime: 24h, key_file: ca.key, certificate_file: ca.crt}').config!.agents_ca).toEqual({
      lifetime: 86_400_000,
      key_file: '/etc/det/ca.key',
      certificate_file: '/etc/det/ca.crt',
    })
  })

  it('takes a key in a token', () => {
    const pkcs11 =
      '{module: /usr/lib/softhsm/libsofthsm2.so, token: provision, label: agents-ca, pin_file: secrets/pin}'
    expect(caOf(`{certificate_file: ca.pem, pkcs11: ${pkcs11}}`)).toMatchObject({
      problems: [],
      config: {
        agents_ca: {
          certificate_file: '/etc/det/ca.pem',
          pkcs11: {
            module: '/usr/lib/softhsm/libsofthsm2.so',
            token: 'provision',
            label: 'agents-ca',
            pin_file: '/etc/det/secrets/pin',
          },
        },
      },
    })
  })
})

describe('client certificates that the master demands', () => {
  const demand = 'resource_manager: {require_authentication: true'
  const codes = (text: string) => parseConfig(text, 'master.yaml').problems.map(({ code }) => code)
  const tls = 'security: {tls: {cert: c, key: k}}\n'

  it('need a CA of their own, unless it is that of join', () => {
    expect(codes(`${tls}${demand}}\n${local('slots: 1')}`)).toEqual(['CLIENT_CA_EMPTY'])
    expect(codes(`${tls}${demand}, client_ca: ""}\n${local('slots: 1')}`)).toEqual(['CLIENT_CA_EMPTY'])
    expect(codes(`${tls}${demand}, client_ca: ca.pem}\n${local('slots: 1')}`)).toEqual([])
    expect(codes(`${tls}${demand}}\n${local('join: required')}`)).toEqual([])
    // A Determined master does not know it by itself.
    const determined = 'demand: {type: determined, token_file: t}\nlisten: {}\n'
    expect(codes(`${tls}${determined}${demand}}\n${local('join: required')}`)).toEqual(['CLIENT_CA_EMPTY'])
  })
})
