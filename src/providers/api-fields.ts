// Fields of a cloud's API in the configuration (`base_config`), checked against the model of the API without its SDK.
import { isMapping, nameOf, orList, shown, type YamlPath } from '../config/index.ts'
import { nearest } from '../platform/index.ts'

export interface ApiModel {
  /**
   * Every field by structure: its type, which is a scalar, a structure, or with `[]` a list and with `{}` a map; or the values of
   * an enum.
   */
  structures: Record<string, Record<string, string | string[]>>
  scalars: Record<string, Scalar>
  /** Completes "FIELD is not …", such as `a field of EC2's RunInstances`. */
  fieldOf: string
  /** The remedy where nothing better is known. */
  correct: string
  /**
   * Why a field that the API has is refused; undefined: it is accepted.
   * @param field its name below the root, such as `NetworkInterfaces[].Groups`
   */
  refuse?(field: string, value: unknown): Refused | undefined
}

export interface Scalar {
  noun: string
  takes(value: unknown): boolean
  remedy: string
}

export interface Refused {
  /** Completes "base_config.FIELD …". */
  message: string
  remedy?: string
}

export interface FieldFault extends Refused {
  /** Below the provider block. */
  path: YamlPath
  /** Whether the key itself is wrong, or its value. */
  part: 'key' | 'value'
}

/** Common to the clouds. */
export const commonScalars = {
  boolean: {
    noun: 'a boolean',
    takes: (value) => typeof value === 'boolean',
    remedy: 'Write true or false, without quotes.',
  },
  string: {
    noun: 'a string',
    takes: (value) => typeof value === 'string',
    remedy: 'Write it in quotes.',
  },
} satisfies Record<string, Scalar>

/** All unknown and refused fields, and values of another type, at any depth of `base_config`. */
export function fieldFaults(model: ApiModel, structure: string, baseConfig: object): FieldFault[] {
  const { structures, scalars, fieldOf, correct } = model

  function inStructure(of: string, value: unknown, path: YamlPath): FieldFault[] {
    if (!isMapping(value)) return [wrong(value, path, 'a mapping')]
    const known = structures[of]!
    return Object.entries(value).flatMap(([field, content]) => {
      const at = [...path, field]
      const type = Object.hasOwn(known, field) ? known[field] : undefined
      if (type === undefined) return [unknownField(at, Object.keys(known))]
      const refused = model.refuse?.(fieldName(at), content)
      if (!refused) return inField(type, content, at)
      return [{ path: at, part: 'key', ...refused, message: `${nameOf(at)} ${refused.message}` }]
    })
  }

  function inField(type: string | string[], value: unknown, path: YamlPath): FieldFault[] {
    if (Array.isArray(type))
      return typeof value === 'string' && type.includes(value)
        ? []
        : [wrong(value, path, `one of ${type.join(', ')}`)]
    const of = type.slice(0, -2)
    if (type.endsWith('[]'))
      return Array.isArray(value)
        ? value.flatMap((one, index) => inField(of, one, [...path, index]))
        : [wrong(value, path, 'a list')]
    if (type.endsWith('{}'))
      return isMapping(value)
        ? Object.entries(value).flatMap(([name, one]) => inField(of, one, [...path, name]))
        : [wrong(value, path, 'a mapping')]
    const scalar = scalars[type]
    if (!scalar) return inStructure(type, value, path)
    return scalar.takes(value) ? [] : [wrong(value, path, scalar.noun, scalar.remedy)]
  }

  function wrong(value: unknown, path: YamlPath, noun: string, remedy = correct): FieldFault {
    const message = `${nameOf(path)} must be ${noun}, but is ${shown(value, path.at(-1))}`
    if (value === null || value === undefined)
      return { path, part: 'value', message, remedy: 'Write its value, or remove the field.' }
    return { path, part: 'value', message, remedy: typeof value === 'object' ? correct : remedy }
  }

  function unknownField(path: YamlPath, known: string[]): FieldFault {
    const meant = nearest(String(path.at(-1)), known)
    const message = `${nameOf(path)} is not ${fieldOf}`
    return { path, part: 'key', message, remedy: meant ? `Did you mean ${orList([meant])}?` : correct }
  }

  return inStructure(structure, baseConfig, ['base_config'])
}

/** Without `base_config`, and without the numbers of entries. */
function fieldName([, ...path]: YamlPath): string {
  return nameOf(path).replaceAll(/\[\d+\]/g, '[]')
}
