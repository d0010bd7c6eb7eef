// Changes the structure of DER: elements are removed, repeated, exchanged, given other tags or contents. Lengths stay right.
import { tlv } from './der-writer.ts'

/** An element with its children, or a leaf with its content. */
export interface Node {
  tag: number
  children?: Node[]
  content: Buffer
}

/** Numbers from a seed (mulberry32), so that a failure can be reproduced. */
export type Numbers = (below: number) => number

export function numbers(seed: number): Numbers {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const none = Buffer.alloc(0)

/** The element of these bytes; an OCTET STRING with DER in it gets children too. */
export function parseNode(der: Buffer): Node {
  const { tag, content } = header(der)
  const isHolder = (tag & 0x20) !== 0 || tag === 0x04
  const children = isHolder ? parseAll(content) : undefined
  return { tag, content, ...(children && { children }) }
}

function header(der: Buffer): { tag: number; content: Buffer; size: number } {
  let start = 2
  let length = der[1]!
  if (length & 0x80) {
    start += length & 0x7f
    length = der.readUIntBE(2, start - 2)
  }
  return { tag: der[0]!, content: der.subarray(start, start + length), size: start + length }
}

function parseAll(content: Buffer): Node[] | undefined {
  const nodes: Node[] = []
  for (let rest = content; rest.length > 0; ) {
    if (rest.length < 2 || (rest[1]! & 0x80 && (rest[1]! & 0x7f) > 2)) return undefined
    const { size } = header(rest)
    if (Number.isNaN(size) || size > rest.length) return undefined
    nodes.push(parseNode(rest.subarray(0, size)))
    rest = rest.subarray(size)
  }
  return nodes
}

export function writeNode({ tag, children, content }: Node): Buffer {
  return children ? tlv(tag, ...children.map(writeNode)) : tlv(tag, content)
}

/** Every node below, with the list that holds it. */
function placesIn(node: Node): { list: Node[]; index: number }[] {
  const list = node.children ?? []
  return list.flatMap((child, index) => [{ list, index }, ...placesIn(child)])
}

const tags = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x16, 0x17, 0x18, 0x1e, 0x30, 0x31, 0x80, 0x81, 0x82,
  0x83, 0x84, 0x86, 0x87, 0x88, 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa6,
]

/** One change at a random place below `root`, which is changed itself. `donor` gives elements to insert. */
export function mutate(root: Node, donor: Node, next: Numbers): void {
  const places = placesIn(root)
  const place = places[next(places.length)]!
  const { list, index } = place
  const node = list[index]!
  const copies = placesIn(donor)
  const copy = () => {
    const from = copies[next(copies.length)]!
    return structuredNode(from.list[from.index]!)
  }
  const bytes = (length: number) => Buffer.from(Array.from({ length }, () => next(256)))
  const changes: (() => void)[] = [
    () => list.splice(index, 1),
    () => list.splice(index, 0, structuredNode(node)),
    () => list.splice(index, 1, copy()),
    () => list.splice(index, 0, copy()),
    () => list.push(...list.splice(index, 1)),
    () => {
      node.tag = tags[next(tags.length)]!
    },
    () => replace(node, none),
    () => replace(node, bytes(1 + next(12))),
    () => replace(node, changedBytes(writeContent(node), next)),
    () => replace(node, changedBytes(writeContent(node), next)),
    () => replace(node, writeContent(node).subarray(0, next(writeContent(node).length + 1))),
    () => {
      list[index] = { tag: tags[next(tags.length)]!, children: [node], content: none }
    },
    () => list.splice(index, 1, ...(node.children ?? [node])),
    () => list.splice(index, 0, { tag: 0x05, content: none }),
  ]
  changes[next(changes.length)]!()
}

function structuredNode(node: Node): Node {
  return { ...node, ...(node.children && { children: node.children.map(structuredNode) }) }
}

function writeContent({ children, content }: Node): Buffer {
  return children ? Buffer.concat(children.map(writeNode)) : content
}

function replace(node: Node, content: Buffer): void {
  delete node.children
  node.content = content
}

function changedBytes(content: Buffer, next: Numbers): Buffer {
  const bytes = Buffer.from(content.length ? content : [0])
  bytes[next(bytes.length)] = next(256)
  return bytes
}
