// EC2's Query protocol: `TagSpecification.1.Tag.1.Key=a` in, XML with <item> lists out.
// https://docs.aws.amazon.com/ec2/latest/devguide/Query-Requests.html

export type Params = { [name: string]: Params | string }

export function parseQuery(body: string): Params {
  const root: Params = {}
  for (const [path, value] of new URLSearchParams(body)) {
    const names = path.split('.')
    const last = names.pop()!
    let at = root
    for (const name of names) {
      at[name] ??= {}
      at = at[name] as Params
    }
    at[last] = value
  }
  return root
}

/** Members 1, 2, 3 … of a list parameter. */
export function listOf(value: Params | string | undefined): (Params | string)[] {
  if (typeof value !== 'object') return []
  return Object.keys(value)
    .sort((a, b) => Number(a) - Number(b))
    .map((index) => value[index]!)
}

export function textsOf(value: Params | string | undefined): string[] {
  return listOf(value).map(String)
}

export function objectsOf(value: Params | string | undefined): Params[] {
  return listOf(value).filter((one) => typeof one === 'object')
}

export function at(params: Params | undefined, ...path: string[]): string | undefined {
  let value: Params | string | undefined = params
  for (const name of path) value = typeof value === 'object' ? value[name] : undefined
  return typeof value === 'string' ? value : undefined
}

export function tagsOf(value: Params | string | undefined): Record<string, string> {
  return Object.fromEntries(objectsOf(value).map((tag) => [at(tag, 'Key') ?? '', at(tag, 'Value') ?? '']))
}

export type Xml = string | number | boolean | undefined | Xml[] | { [name: string]: Xml }

export function toXml(value: Xml): string {
  if (Array.isArray(value)) return value.map((item) => `<item>${toXml(item)}</item>`).join('')
  if (typeof value === 'object')
    return Object.entries(value)
      .filter(([, content]) => content !== undefined)
      .map(([name, content]) => `<${name}>${toXml(content)}</${name}>`)
      .join('')
  return String(value ?? '').replace(/[<>&"\r]/g, (character) => `&#${character.charCodeAt(0)};`)
}

export function tagSet(tags: Record<string, string>): Xml {
  return Object.entries(tags).map(([key, value]) => ({ key, value }))
}

/** Thrown by handlers, and answered like EC2. */
export class Ec2Error extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.code = code
    this.status = status
  }
}
