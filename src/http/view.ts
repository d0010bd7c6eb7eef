// One schema for both ends: its type is what the server must send, and the client validates the response with it.

import type * as z from 'zod/mini'

/**
 * What a server must send: every field of the view, including fields that are optional because an older server lacks them
 * or because there may be no value (undefined). A missing or renamed field does not compile.
 */
export type Written<View> = { [Field in keyof Required<View>]: View[Field] }

/**
 * Throws what `wrong` returns for the first issue. The value is checked, not copied: fields that a newer server adds are
 * kept, at every depth.
 */
export function checkView<View>(
  schema: z.ZodMiniType<View, View>,
  value: unknown,
  wrong: (issue: { path: PropertyKey[]; message: string } | undefined) => Error,
): asserts value is View {
  const { error } = schema.safeParse(value)
  if (error) throw wrong(error.issues[0])
}
