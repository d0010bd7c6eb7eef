// The reduced descriptors are enough for the calls made, and contain every requested field.
import { describe, expect, it } from 'vitest'
import { calls, pruneDescriptors } from '../../../../src/providers/gcp/compute-package.ts'
import { trimUrl } from '../../../../src/providers/gcp/transport.ts'
import { descriptors, fieldsOf } from '../../../support/compute-descriptor.ts'

describe('pruning', () => {
  const message = (...types: string[]) => ({
    fields: Object.fromEntries(types.map((type, index) => [`f${index}`, { type }])),
  })
  const all = () => ({
    nested: {
      google: {
        nested: {
          api: { nested: {} },
          cloud: {
            nested: {
              compute: {
                nested: {
                  v1: {
                    nested: {
                      Instances: {
                        methods: {
                          Get: { requestType: 'GetRequest', responseType: '.google.cloud.compute.v1.Vm' },
                          Stop: { requestType: 'StopRequest', responseType: 'Vm' },
                        },
                      },
                      Disks: { methods: {} },
                      GetRequest: message('string'),
                      StopRequest: message('string'),
                      Vm: message('string', 'Disk', 'Vm'),
                      Disk: message('int64'),
                      Unused: message('Disk'),
                    },
                  },
                  v1beta: { nested: { Vm: message() } },
                },
              },
            },
          },
        },
      },
    },
  })

  it('keeps the requested calls and all their messages, and does not change the input', () => {
    const whole = all()
    const pruned = pruneDescriptors(whole, { Instances: ['Get'] })
    const { nested } = pruned.nested.google.nested.cloud.nested.compute
    expect(Object.keys(nested)).toEqual(['v1'])
    expect(Object.keys(nested.v1.nested).sort()).toEqual(['Disk', 'GetRequest', 'Instances', 'Vm'])
    expect(nested.v1.nested.Instances).toEqual({ methods: { Get: expect.anything() } })
    expect(pruned.nested.google.nested.api).toBeDefined()
    expect(whole).toEqual(all())
  })

  it('leaves less than a tenth of the API', () => {
    const { nested } = pruneDescriptors(descriptors, calls).nested.google.nested.cloud.nested.compute.nested
      .v1
    expect(Object.keys(nested).length).toBeLessThan(220)
    expect(Object.keys(nested)).toContain('BulkInsertInstanceResource')
  })
})

describe('partial responses', () => {
  const asked = (path: string) =>
    trimUrl(new URL(`https://compute.googleapis.com/compute/v1/projects/p/${path}`)).searchParams
  const inside = (mask: string, name: string) =>
    mask.slice(mask.indexOf(`${name}(`) + name.length + 1).match(/[a-zA-Z]+/g)!

  /** Without what is inside of parentheses. */
  function outermost(mask: string): string[] {
    const less = mask.replaceAll(/\([^()]*\)/g, '')
    return less === mask ? mask.split(',') : outermost(less)
  }

  it.each([
    ['zones/z/instances/vm', 'Instance', outermost],
    [
      'zones/z/operations',
      'Operation',
      (mask: string) => inside(mask, 'items').filter((name) => !['errors', 'code', 'message'].includes(name)),
    ],
    [
      'aggregated/instances',
      'Instance',
      (mask: string) => outermost(mask.slice(mask.indexOf('instances(') + 'instances('.length, -1)),
    ],
  ])('ask %s for fields there are', (path, message, names) => {
    const fields = names(asked(path).get('fields')!)
    expect(fields.length).toBeGreaterThan(5)
    expect(fieldsOf(message)).toEqual(expect.arrayContaining(fields))
  })

  it('are not requested where every field may be read', () => {
    expect(asked('regions/us-central1').get('fields')).toBeNull()
    expect(asked('zones/z/instances/vm/serialPort').get('fields')).toBeNull()
  })
})
