// One schema for both ends: the server writes what its type demands, the client checks with it what came.

import type * as z from 'zod/mini'

/**
 * What a server must write: every field of the view, also one that is optional since an older server lacks it or since
 * there may be nothing to show (undefined). A field that is left out or renamed does not compile.
 */
export type Written<View> = { [Field in keyof Required<View>]: View[Field] }

/**
 * Throws what `wrong` makes of the first issue. The value is checked, not rebuilt: fields that a newer server adds stay
 * in it, at every depth.
 */
export function checkView<View>(
  schema: z.ZodMiniType<View, View>,
  value: unknown,
  wrong: (issue: { path: PropertyKey[]; message: string } | undefined) => Error,
): asserts value is View {
  const { error } = schema.safeParse(value)
  if (error) throw wrong(error.issues[0])
}
