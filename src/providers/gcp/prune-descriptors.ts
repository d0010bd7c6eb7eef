// Cuts the client's descriptors down to the calls made here: building types for all of Compute Engine, in three
// versions, takes a second and 200 MiB (npm run bench gcp).

interface Message {
  fields?: Record<string, { type: string; keyType?: string }>
}

interface ServiceDescriptor {
  options?: object
  methods: Record<string, { requestType: string; responseType: string }>
}

export type Namespace = Record<string, Message | ServiceDescriptor>

/** The part of protobuf.js's JSON descriptor (https://protobufjs.github.io/protobuf.js/) that is walked here. */
export interface Descriptors {
  nested: {
    google: { nested: { cloud: { nested: { compute: { nested: { v1: { nested: Namespace } } } } } } }
  }
}

/**
 * The same descriptors with nothing but `calls` (`{Instances: ['Get', …]}`) and the messages these are made of. The
 * input is left as it is, because a program that embeds us may use the client, too.
 */
export function pruneDescriptors<D extends Descriptors>(descriptors: D, calls: Record<string, string[]>): D {
  const { google } = descriptors.nested
  const { cloud } = google.nested
  const all = cloud.nested.compute.nested.v1.nested
  const kept: Namespace = {}
  for (const [name, wanted] of Object.entries(calls)) {
    const service = all[name] as ServiceDescriptor
    const methods = Object.entries(service.methods).filter(([method]) => wanted.includes(method))
    kept[name] = { ...service, methods: Object.fromEntries(methods) }
    for (const [, { requestType, responseType }] of methods) {
      keep(requestType)
      keep(responseType)
    }
  }

  /** Enums are nested in the messages that use them. */
  function keep(type: string): void {
    const name = type.split('.').at(-1) ?? type
    const message = all[name] as Message | undefined
    if (!message || kept[name]) return
    kept[name] = message
    for (const field of Object.values(message.fields ?? {})) keep(field.type)
  }

  const compute = { nested: { v1: { nested: kept } } }
  const pruned = { ...google, nested: { ...google.nested, cloud: { ...cloud, nested: { compute } } } }
  return { ...descriptors, nested: { ...descriptors.nested, google: pruned } }
}
